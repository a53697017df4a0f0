"""A SLURM of one node on this machine: Debian's `slurm-wlm` and `munge`, as root."""

import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import time

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scontrol")
CONF = """\
ClusterName=here
SlurmctldHost={host}
SlurmUser=root
AuthType=auth/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobRequeue=1
MpiDefault=none
ReturnToService=2
SchedulerParameters=batch_sched_delay=1,sched_interval=2
NodeName={host} CPUs={cores} State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


@contextlib.contextmanager
def running(folder):
    """Runs the daemons within the body.

    Args:
        folder: A `pathlib.Path` for their files.

    Yields:
        The environment in which SLURM's commands find it.
    """
    missing = [name for name in PROGRAMS if not shutil.which(name)]
    assert not missing, f"no {', '.join(missing)}: apt-get install slurm-wlm munge"
    conf, host = folder / "slurm.conf", socket.gethostname()
    for name in ("state", "spool"):
        (folder / name).mkdir()
    conf.write_text(CONF.format(host=host, folder=folder, cores=os.cpu_count()))
    environment = {**os.environ, "SLURM_CONF": str(conf)}
    if subprocess.run(["munge", "-n"], capture_output=True).returncode:
        pathlib.Path("/run/munge").mkdir(exist_ok=True)
        shutil.chown("/run/munge", "munge")
        subprocess.run(["runuser", "-u", "munge", "--", "munged"], check=True)
    daemons = [
        subprocess.Popen([name, "-D", "-f", conf], env=environment, stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL)
        for name in ("slurmctld", "slurmd")
    ]  # fmt: skip
    try:
        for _ in range(100):
            done = subprocess.run(
                ["sinfo", "-h", "-o", "%T"], env=environment, capture_output=True, text=True
            )
            if done.stdout.strip() == "idle":
                break
            time.sleep(0.2)
        yield environment
    finally:
        for daemon in reversed(daemons):
            daemon.terminate()
            daemon.wait(30)
