"""The time of a training step on any number of accelerators, from what it computes and sends."""

import dataclasses
import math

# Of arXiv 1706.02677: up to such a batch the linear rule for the rate holds, with such a warm-up.
LARGEST_BATCH, WARMUP_EPOCHS = 8192, 5
# Of synchronized batch norm, per layer: its sums, and their gradient. tests/training/
# test_distribution.py counts them in the graph of a step. Both are of two float32 per channel.
SYNC_REDUCTIONS, SYNC_BYTES = 2, 8


@dataclasses.dataclass(frozen=True, kw_only=True)
class Workload:
    """What of a network and its recipe matters here.

    Attributes:
        name: The model.
        layers: Trainable parameters and multiply-adds of every layer, from the first to the last.
        norms: Channels of every batch norm.
        pooled: Channels of those that see one value per image, which are always synchronized.
        epochs, batch, learning_rate, warmup_epochs: Of the recipe.
        rate: Images per second that one accelerator trains.
        largest: Images per second are measured, and accelerators filled, with such a batch.
        least: Images on a replica below which all batch norms should be synchronized.
    """

    name: str
    layers: tuple[tuple[int, int], ...]
    norms: tuple[int, ...]
    pooled: tuple[int, ...]
    epochs: int
    batch: int
    learning_rate: float
    warmup_epochs: float
    rate: float
    largest: int
    least: int

    @property
    def gradients(self) -> int:
        """Trainable parameters."""
        return sum(parameters for parameters, _ in self.layers)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cluster:
    """The machines: assumptions, each an option of the command.

    Attributes:
        per_host: Accelerators of a host.
        inner_bandwidth: Bytes per second between accelerators of a host, one way.
        inner_latency: Seconds for a message between them.
        outer_bandwidth: Bytes per second between hosts, one way, for all accelerators of a host.
        outer_latency: Seconds for a message between hosts.
        gradient_bytes: Of one parameter's gradient when it is sent: 4 for float32.
        pack_bytes: Gradients are sent in packs of more bytes than this, as soon as they are there.
        backward: The fraction of the computing in which gradients are computed, in [0, 1].
        least_step: Seconds of a step however small its batch, in which kernels are started.
        cores: Of a host, which prepare images.
        input_rate: Images per second that one core prepares.
    """

    per_host: int = 8
    inner_bandwidth: float = 100e9
    inner_latency: float = 10e-6
    outer_bandwidth: float = 12.5e9
    outer_latency: float = 20e-6
    gradient_bytes: int = 4
    pack_bytes: int = 4 << 20
    backward: float = 2 / 3
    least_step: float = 15e-3
    cores: int = 64
    input_rate: float = 800.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Step:
    """One training step on some accelerators.

    Attributes:
        accelerators: The number of accelerators.
        replica_batch: Images of each.
        synchronized: The number of batch norms that are.
        compute: Seconds of computing.
        communication: Seconds of reductions that computing does not hide.
        input: Seconds in which a host prepares its part of the batch, beside the other two.
        efficiency: Images per second over those of as many accelerators that do nothing but
            compute, with a full batch.
    """

    accelerators: int
    replica_batch: int
    synchronized: int
    compute: float
    communication: float
    input: float
    efficiency: float

    @property
    def batch(self) -> int:
        """Images of the step."""
        return self.accelerators * self.replica_batch

    @property
    def seconds(self) -> float:
        """Time of the step: images are prepared while the step before computes."""
        return max(self.compute + self.communication, self.input)

    @property
    def rate(self) -> float:
        """Images per second."""
        return self.batch / self.seconds

    @property
    def bound(self) -> str:
        """What takes the most time."""
        if self.input > self.compute + self.communication:
            return "input"
        return "compute" if self.compute >= self.communication else "all-reduce"


def all_reduce(size: float, ranks: int, bandwidth: float, latency: float) -> float:
    """Seconds to sum arrays over ranks: by a ring, or by two trees where that is faster.

    A ring sends 2 (n - 1) / n of the bytes in 2 (n - 1) messages one after the other; two trees,
    each with half of the bytes, send all of them twice in 2 log2(n) messages, as NCCL does.

    Args:
        size: Bytes of the array.
        ranks: The number of ranks that hold one.
        bandwidth: Bytes per second, one way.
        latency: Seconds for a message.
    """
    if ranks == 1:
        return 0.0
    ring = 2 * (ranks - 1) * (latency + size / ranks / bandwidth)
    tree = 2 * math.ceil(math.log2(ranks)) * latency + 2 * size / bandwidth
    return min(ring, tree)


def hierarchical_all_reduce(size: float, accelerators: int, cluster: Cluster) -> float:
    """Seconds to sum arrays over the accelerators of hosts, then over the hosts.

    Within a host every accelerator sums its part; the parts of all of them go over the host's
    network at once, and back within the host.

    Args:
        size: Bytes of the array.
        accelerators: The number of accelerators, of which every host but the only one is full.
        cluster: A `Cluster`.
    """
    inner = min(accelerators, cluster.per_host)
    seconds = all_reduce(size, inner, cluster.inner_bandwidth, cluster.inner_latency)
    hosts = hosts_for(accelerators, cluster)
    return seconds + all_reduce(size, hosts, cluster.outer_bandwidth, cluster.outer_latency)


def exposed_reduction(
    network: Workload, cluster: Cluster, accelerators: int, compute: float
) -> float:
    """Seconds that the sums of gradients go on after the last gradient was computed.

    The last layer's gradient comes first. A layer takes the backward pass's time in proportion to
    its multiply-adds; a pack is sent when all of it is there and the one before it has arrived.

    Args:
        network: A `Workload`.
        cluster: A `Cluster`.
        accelerators: The number of accelerators.
        compute: Seconds of a step's computing.
    """
    backward = cluster.backward * compute
    total = sum(macs for _, macs in network.layers)
    computed = sent = 0.0
    pack = 0
    for number, (parameters, macs) in enumerate(reversed(network.layers), start=1):
        computed += backward * macs / total
        pack += parameters * cluster.gradient_bytes
        if pack > cluster.pack_bytes or number == len(network.layers):
            sent = max(sent, computed) + hierarchical_all_reduce(pack, accelerators, cluster)
            pack = 0
    return sent - computed


def hosts_for(accelerators: int, cluster: Cluster) -> int:
    """The number of hosts of that many accelerators."""
    return -(-accelerators // cluster.per_host)


def step(
    network: Workload, cluster: Cluster, accelerators: int, largest_batch: int = LARGEST_BATCH
) -> Step:
    """The step that is recommended on that many accelerators.

    Every accelerator is filled until the batch of all is the largest for which the rule for the
    learning rate holds; after that each gets less. Where it gets too little, all batch norms are
    synchronized.

    Args:
        network: A `Workload`.
        cluster: A `Cluster`.
        accelerators: The number of accelerators.
        largest_batch: Of the step.

    Returns:
        A `Step`.
    """
    replica_batch = max(1, min(network.largest, largest_batch // accelerators))
    synchronized = network.norms if replica_batch < network.least else network.pooled
    synchronized = synchronized if accelerators > 1 else ()
    compute = max(replica_batch / network.rate, cluster.least_step)
    communication = exposed_reduction(network, cluster, accelerators, compute)
    communication += SYNC_REDUCTIONS * sum(
        hierarchical_all_reduce(SYNC_BYTES * channels, accelerators, cluster)
        for channels in synchronized
    )
    images = replica_batch * min(accelerators, cluster.per_host)
    prepared = images / (cluster.cores * cluster.input_rate)
    seconds = max(compute + communication, prepared)
    return Step(
        accelerators=accelerators,
        replica_batch=replica_batch,
        synchronized=len(synchronized),
        compute=compute,
        communication=communication,
        input=prepared,
        efficiency=replica_batch / seconds / network.rate,
    )


def learning_rate(network: Workload, batch: int) -> float:
    """The recipe's peak rate, in proportion to the batch."""
    return network.learning_rate * batch / network.batch


def warmup_epochs(network: Workload, batch: int) -> float:
    """The recipe's warm-up; for a larger batch than its own, five epochs at least."""
    return max(network.warmup_epochs, WARMUP_EPOCHS if batch > network.batch else 0)


def cores_needed(network: Workload, cluster: Cluster, accelerators: int | None = None) -> int:
    """Cores of a host that prepare images as fast as its accelerators train."""
    accelerators = min(accelerators or cluster.per_host, cluster.per_host)
    return math.ceil(accelerators * network.rate / cluster.input_rate)
