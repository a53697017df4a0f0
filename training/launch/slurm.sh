#!/bin/bash
# {{ gpus }} GPU{{ "s" if gpus > 1 }} on SLURM: sbatch FILE
#
# A run that is stopped (before the time limit, or preempted) or loses a worker exits with 130 or 75,
# and one that is killed with 137: the job is put into the queue again, and resumes at the last
# checkpoint. Exit code 1 is for settings, images and the like, which another start does not change.
#SBATCH --job-name={{ name }}
#SBATCH --output={{ name }}-%j.log
#SBATCH --open-mode=append
#SBATCH --nodes={{ nodes }}
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task={{ cpus }}
#SBATCH --gpus-per-node={{ gpus_per_node }}
#SBATCH --time={{ hours }}:00:00
#SBATCH --signal=TERM@{{ grace }}
#SBATCH --requeue

srun --distribution=block --cpus-per-task={{ cpus }} --kill-on-bad-exit=1 \
  {{ command | map("shell") | join(" ") }}
code=$?
case $code in
  75 | 130 | 137 | 143)
    if [ "${SLURM_RESTART_COUNT:-0}" -lt {{ restarts }} ]; then
      scontrol requeue "$SLURM_JOB_ID"
    fi
    ;;
esac
exit $code
