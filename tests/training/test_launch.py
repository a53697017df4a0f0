"""What engines get: manifests against the published schemas, scripts, and runs that they start."""

import json
import os
import re
import signal
import subprocess
import time

import pytest
import yaml
from kubeflow_trainer_api.models import JobsetV1alpha2JobSet

from keras_ghostnet.training import cluster, launch
from tests.training import runs, slurm_cluster

RUN = dict(recipe="ghostnet_100_imagenet", data="/mnt/images", run_dir="/mnt/runs/it's")
VOLUMES = {"shared": "/mnt"}


def manifest(**changes):
    return yaml.safe_load(launch.render("kubernetes", **{**RUN, "volumes": VOLUMES, **changes}))


def pod(found):
    """The specification of the workers' pods, and that of the job that they belong to."""
    (jobs,) = found["spec"]["replicatedJobs"]
    return jobs["template"]["spec"]["template"]["spec"], jobs["template"]["spec"]


@pytest.mark.parametrize(("gpus", "nodes"), [(1, 1), (8, 1), (64, 8)])
def test_a_manifest_is_of_the_published_schema(gpus, nodes):
    """No field that the schema lacks, and none of another type: what it takes comes back."""
    found = manifest(gpus=gpus)
    assert JobsetV1alpha2JobSet.from_dict(found).to_dict() == found
    spec, job = pod(found)
    (container,) = spec["containers"]
    assert container["resources"]["limits"] == {"nvidia.com/gpu": gpus // nodes}
    assert container["resources"]["requests"] == {"cpu": str(4 * gpus // nodes)}
    assert "envFrom" not in container
    assert job["completions"] == job["parallelism"] == nodes
    assert container["command"][-2 * (nodes > 1) :][:2] != ["--strategy", "auto"]
    assert container["command"][: len(COMMAND)] == COMMAND


COMMAND = ["ghostnet", "train", "--recipe", RUN["recipe"], "--data", RUN["data"]]
COMMAND += ["--run-dir", RUN["run_dir"]]


def environment(found, index):
    """What Kubernetes gives to the pod of an index: fields of the pod, and references replaced."""
    (container,), values = pod(found)[0]["containers"], {}
    annotations = {"batch.kubernetes.io/job-completion-index": str(index)}
    for variable in container.get("env", ()):
        if "valueFrom" in variable:
            path = variable["valueFrom"]["fieldRef"]["fieldPath"]
            values[variable["name"]] = annotations[re.fullmatch(r".*\['(.*)'\]", path)[1]]
        else:
            text = re.sub(r"\$\((\w+)\)", lambda match: values[match[1]], variable["value"])
            values[variable["name"]] = text
    return values


def test_a_run_in_a_store_needs_no_volume():
    stored = dict(data="s3://images/train data", run_dir="s3://runs/1", volumes={})
    weights = ["weights=hf://timm/ghostnet_100.in1k", "teacher=gs://runs/teacher"]
    found = manifest(
        **stored, settings=weights, gpus=16, credentials_secret="s3.keys", grace=30, cpus_per_gpu=6
    )
    assert JobsetV1alpha2JobSet.from_dict(found).to_dict() == found
    spec, _ = pod(found)
    (container,) = spec["containers"]
    words = container["command"]
    assert words[words.index("--data") + 1] == stored["data"]
    assert words[words.index("--run-dir") + 1] == stored["run_dir"]
    assert [volume["name"] for volume in spec["volumes"]] == ["shm"]
    assert container["envFrom"] == [{"secretRef": {"name": "s3.keys"}}]
    assert spec["terminationGracePeriodSeconds"] == 30
    assert container["resources"]["requests"] == {"cpu": "48"}
    script = launch.render("slurm", **{**RUN, **stored}, grace=30)
    assert "#SBATCH --signal=TERM@30\n" in script
    assert " --data 's3://images/train data' --run-dir s3://runs/1\n" in script


def test_data_that_workers_fetch_needs_no_volume():
    for data in ("digits", "tfds:cifar10"):
        assert data in pod(manifest(data=data))[0]["containers"][0]["command"]


def test_every_pod_knows_the_cluster_and_its_place():
    found = manifest(gpus=32)
    name, (jobs,) = found["metadata"]["name"], found["spec"]["replicatedJobs"]
    subdomain = found["spec"]["network"]["subdomain"]
    (container,) = pod(found)[0]["containers"]
    (port,) = container["ports"]
    for index in range(4):
        described = cluster.parse_tf_config(environment(found, index)["TF_CONFIG"])
        assert (described.task_type, described.task_id) == ("worker", index)
        # As JobSet names the pods: NAME-JOB-NUMBER-INDEX, in the headless service's domain.
        hosts = [f"{name}-{jobs['name']}-0-{other}.{subdomain}" for other in range(4)]
        assert described.addresses == [f"{host}:{port['containerPort']}" for host in hosts]


@pytest.mark.parametrize("code", [0, 1, 75, 130, 137])
@pytest.mark.parametrize("restarts", ["", "1"])
def test_a_script_queues_again_what_another_start_continues(code, restarts, tmp_path):
    script = tmp_path / "job.sh"
    script.write_text(launch.render("slurm", **RUN, gpus=16, restarts=1, settings=["epochs=2"]))
    for name, body in {"srun": f'printf "%s\\n" "$@"; exit {code}', "scontrol": "echo $*"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    more = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_JOB_ID": "7"}
    more |= {"SLURM_RESTART_COUNT": restarts} if restarts else {}
    done = subprocess.run(
        ["bash", script], env={**os.environ, **more}, capture_output=True, text=True
    )
    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (code, "")
    begin = lines.index("ghostnet")
    assert lines[begin : begin + len(COMMAND)] == COMMAND
    assert "--cpus-per-task=32" in lines[:begin]
    assert ("requeue 7" in lines) == (code > 1 and not restarts)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"engine": "kubernets"}, "Did you mean 'kubernetes'"),
        ({"recipe": "ghostnet_100_imagnet"}, "Did you mean 'ghostnet_100_imagenet'"),
        ({"engine": "slurm", "image": "mine"}, "slurm takes no `volumes` and no `image`"),
        ({"hours": 2}, "kubernetes takes no `hours`"),
        ({"settings": ["epoch=3"]}, "Did you mean 'epochs'"),
        ({"gpus": 0}, "`gpus` must be from 1 to 4,096. Received: 0"),
        ({"gpus": 12, "settings": ["batch_size=960"]}, "do not fill nodes of 8"),
        ({"gpus": 24}, r"does not go into 24 equal parts for 24 GPUs.*--set batch_size=1032"),
        ({"volumes": {}}, "--data /mnt/images is in none of the volumes"),
        ({"volumes": {"shared": "mnt"}}, "absolute path, such as photos=/data"),
        ({"volumes": {"shared": "/mnt/.."}}, "absolute path, such as photos=/data"),
        ({"volumes": {"shared": "/mnt:ro"}}, "absolute path, such as photos=/data"),
        ({"volumes": {"shared": "/dev/shm"}}, "absolute path, such as photos=/data"),
        ({"volumes": {"a..b": "/mnt"}}, r"such as photos=/data. Received: a\.\.b=/mnt"),
        ({"volumes": {"shared": "/mnt", "more": "/mnt/"}}, "Two volumes are at /mnt/"),
        ({"data": "/mnt/../photos"}, "--data /mnt/../photos is in none of the volumes"),
        ({"settings": ["model=mine.keras"]}, "--set model mine.keras is in none of the volumes"),
        ({"settings": ["teacher=/runs/big"]}, "--set teacher /runs/big is in none of the volumes"),
        ({"credentials_secret": "My_Keys"}, "A secret's name is such as store-credentials"),
        ({"engine": "slurm", "volumes": {}, "credentials_secret": "keys"}, "no `credentials_secr"),
        ({"image": " "}, "`image` names no image"),
        (
            {"gpus": 4096, "gpus_per_node": 2, "settings": ["batch_size=8192"], "name": "n" * 40},
            r"which lists all 2,048 workers, takes .* a shorter --name",
        ),
        ({"run_dir": "runs/1"}, "--run-dir runs/1 is in none of the volumes"),
        ({"name": "Mine: [x]"}, "A job's name has lower-case letters"),
        ({"name": "a" * 41}, "at most 40 characters"),
        ({"hours": True}, "`hours` must be from 1"),
        ({"data": "s3://"}, r"'s3://' names no place in a store\. Expected"),
        ({"run_dir": "gs:///runs/1"}, "'gs:///runs/1' names no place in a store"),
        ({"engine": "slurm", "volumes": {}, "run_dir": "s3:///"}, "names no place in a store"),
        ({"data": "nosuch://images"}, "nosuch:// is no store that fsspec knows"),
        ({"settings": ["teacher=s3:///big"]}, "'s3:///big' names no place in a store"),
        ({"settings": ["weights=hf://timm"]}, "'hf://timm' names no model of the Hugging Face hub"),
    ],
)
def test_what_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        launch.render(**{"engine": "kubernetes", **RUN, "volumes": VOLUMES, **changes})


def test_what_is_in_a_store_needs_no_volume():
    changes = dict(data="s3://bucket/photos", run_dir="s3://bucket/run", volumes={})
    found = launch.render(**{"engine": "kubernetes", **RUN, **changes})
    assert "s3://bucket/photos" in found


def test_words_stay_words():
    """Whatever is in them, in YAML and in the shell."""
    text = 'a: "b" $(HOME) {{ c }} \\'
    found = manifest(recipe="smoke", gpus=1, image=text, run_dir=f"/mnt/{text}")
    (container,) = pod(found)[0]["containers"]
    assert container["image"] == text
    # Kubernetes replaces $(NAME) in commands; "$$(" stands for "$(".
    assert f"/mnt/{text}".replace("$(", "$$(") in container["command"]


SMALL = ("model=g_ghost_regnetx_002", "epochs=2", "batch_size=8", "image_size=32")


@pytest.mark.workers
def test_workers_that_a_manifest_starts_and_restarts(tmp_path):
    """One is killed: the others end with the code for another start, which ends as one run."""
    data = runs.write_photos(tmp_path / "photos")
    volumes = {"all": str(tmp_path)}

    def started(run_dir):
        found = manifest(
            recipe="smoke", data=str(data), run_dir=str(run_dir), settings=SMALL, gpus=2,
            gpus_per_node=1, volumes=volumes,
        )  # fmt: skip
        (container,) = pod(found)[0]["containers"]
        environments = [environment(found, index) for index in range(2)]
        text = json.dumps(environments)
        addresses = json.loads(environments[0]["TF_CONFIG"])["cluster"]["worker"]
        for address, port in zip(addresses, runs.free_ports(2), strict=True):
            text = text.replace(address, f"127.0.0.1:{port}")
        _, *words = container["command"]
        words = [str(runs.GHOSTNET), *words, "--deterministic", "--checkpoint-steps", "1"]
        return runs.started(words, json.loads(text))

    run_dir = tmp_path / "run"
    with started(run_dir) as (one, two):
        runs.wait_for_step(1, run_dir, one)
        two.send_signal(signal.SIGKILL)
        _, errors = one.communicate(timeout=300)
        assert one.returncode in (75, -signal.SIGABRT), errors  # as TensorFlow's runtime has it
    with started(run_dir) as processes:
        outputs = [process.communicate(timeout=600) for process in processes]
        assert [process.returncode for process in processes] == [0, 0], outputs
    assert "Resuming after" in outputs[0][0]
    with started(tmp_path / "whole") as processes:
        outputs = [process.communicate(timeout=600) for process in processes]
        assert [process.returncode for process in processes] == [0, 0], outputs
    runs.assert_same_state(run_dir, tmp_path / "whole")


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    """A function that calls a program of SLURM's; returns what it prints."""
    with slurm_cluster.running(tmp_path_factory.mktemp("slurm")) as environment:

        def call(*words, **options):
            done = subprocess.run(
                list(map(str, words)), env=environment, capture_output=True, text=True, **options
            )
            assert done.returncode == 0, done.stderr
            return done.stdout.strip()

        yield call


@pytest.mark.slurm
def test_slurm_starts_and_restarts_a_run(slurm, tmp_path):
    """SLURM's own programs: the job is stopped, waits in the queue again, and ends as one run."""
    data = runs.write_photos(tmp_path / "photos")
    for name in ("stopped", "whole"):
        text = launch.render(
            "slurm", "smoke", data, tmp_path / name, settings=SMALL, gpus=2, gpus_per_node=1,
            name=name, cpus_per_gpu=1,
        )  # fmt: skip
        # This machine has one node, and no GPUs.
        text = text.replace("--nodes=2", "--nodes=1").replace("per-node=1", "per-node=2", 1)
        text = re.sub(r"#SBATCH --gpus.*\n", "", text).replace("ghostnet train", WORD, 1)
        (tmp_path / f"{name}.sh").write_text(text)
        job = slurm("sbatch", "--parsable", f"{name}.sh", cwd=tmp_path)
        if name == "stopped":
            wait_for(lambda: list((tmp_path / "stopped" / "checkpoints").glob("*.json")))
            slurm("scancel", "--signal=TERM", job)
        wait_for(lambda job=job: "JobState=COMPLETED" in slurm("scontrol", "show", "job", job))
        log = (tmp_path / f"{name}-{job}.log").read_text()
        assert ("the same command resumes there" in log) == (name == "stopped")
        assert ("Resuming after" in log) == (name == "stopped")
    runs.assert_same_state(tmp_path / "stopped", tmp_path / "whole")


WORD = f"{runs.GHOSTNET} train --deterministic --checkpoint-steps 1"


def wait_for(condition, seconds=900):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.5)
