"""What a device is, and what disturbs measuring there: copied beside `run.py`."""

import os
import platform
import time

import numpy as np

# What disturbs a run: a model's 90 % quantile over its 10 % quantile, cores that others use.
MAX_SPREAD, MAX_OTHERS = 1.25, 0.1


class Conditions:
    """The device (`device`, a name), the cores that may be used, and what else it does from now."""

    def __init__(self):
        names = [*_fields("/proc/cpuinfo", "model name"), _text("/proc/device-tree/model")]
        self.device = next(filter(None, names), platform.processor() or platform.machine())
        has_affinity = hasattr(os, "sched_getaffinity")
        self.cores = sorted(os.sched_getaffinity(0) if has_affinity else range(os.cpu_count()))
        self.start = self._clocks()

    def others(self):
        """Cores that other processes kept busy on average; None where that is not known."""
        busy, own, passed = np.subtract(self._clocks(), self.start)
        return max(0.0, float(busy - own) / passed) if self.start[0] else None

    def describe(self, others):
        """Cores, frequency, governor and load, as text."""
        fields = _text("/proc/self/stat").rpartition(")")[2].split()
        core = int(fields[36]) if fields else self.cores[0]
        folder = f"/sys/devices/system/cpu/cpu{core}/cpufreq"
        hertz = _text(f"{folder}/scaling_cur_freq")
        speeds = dict(enumerate(_fields("/proc/cpuinfo", "cpu MHz")))
        facts = {
            "cores": f"{','.join(map(str, self.cores))} (in the end {core})",
            "MHz": f"{int(hertz) / 1000:.0f}" if hertz else speeds.get(core),
            "governor": _text(f"{folder}/scaling_governor"),
            "load": f"{os.getloadavg()[0]:.2f}" if hasattr(os, "getloadavg") else None,
            "others": None if others is None else f"{others:.2f} cores",
        }
        return "; ".join(f"{name} {value or 'unknown'}" for name, value in facts.items())

    def _clocks(self):
        """Seconds that all cores were busy, that this process was, and that passed."""
        ticks = [int(number) for number in _text("/proc/stat").partition("\n")[0].split()[1:9]]
        busy = sum(ticks) - sum(ticks[3:5])  # without idling and waiting for disks
        return busy / 100, time.process_time(), time.perf_counter()


def summary(times, others):
    """The CSV's figures for a model's calls in milliseconds and `Conditions.others`' result.

    A run was disturbed if others kept cores busy, or if a model's times spread.
    """
    p10, median, p90 = map(float, np.percentile(times, (10, 50, 90)))
    noisy = p90 > MAX_SPREAD * p10 or (others or 0) > MAX_OTHERS
    return dict(median=median, p10=p10, p90=p90, calls=len(times), noisy=int(noisy))


def now():
    """The time as the CSV has it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())


def _text(path):
    """The text of a file of the system; nothing where there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip("\0\n")
    except OSError:
        return ""


def _fields(path, name):
    lines = (line.partition(":") for line in _text(path).splitlines())
    return [value.strip() for key, _, value in lines if key.strip() == name]
