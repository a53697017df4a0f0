"""Shows how far training is: a bar on a terminal, a line for every epoch elsewhere."""

import time

import keras
import rich.console
import rich.progress


class ProgressCallback(keras.callbacks.Callback):
    """One bar over all epochs with the time left, or plain lines if there is no terminal.

    Keras' own progress bar starts anew in every epoch and rewrites lines in log files too.

    Args:
        console: A `rich.console.Console`; None takes standard output.
    """

    def __init__(self, console=None):
        super().__init__()
        self.console = console or rich.console.Console(highlight=False)
        self.bar = None

    def on_train_begin(self, logs=None):
        self.start = time.perf_counter()
        if self.console.is_terminal:
            self.bar = rich.progress.Progress(
                rich.progress.TextColumn("{task.description}"),
                rich.progress.BarColumn(),
                rich.progress.TaskProgressColumn(),
                rich.progress.TimeRemainingColumn(),
                console=self.console,
                transient=True,
                # Output that is held back must not come out through the bar.
                redirect_stdout=False,
                redirect_stderr=False,
            )
            total = self.params["epochs"] * self.params["steps"]
            # TensorFlow builds the training graph now, which takes as long as some epochs.
            self.task = self.bar.add_task("preparing the first step", total=total)
            self.bar.start()

    def on_train_batch_end(self, batch, logs=None):
        if self.bar:
            self.bar.advance(self.task)

    def on_epoch_end(self, epoch, logs=None):
        done, epochs = epoch + 1, self.params["epochs"]
        text = f"epoch {done}/{epochs}  loss {logs['loss']:.3f}"
        if "val_accuracy" in logs:
            text += f"  held-out accuracy {logs['val_accuracy']:.2%}"
        if self.bar:
            self.bar.update(self.task, description=text)
        else:
            left = (time.perf_counter() - self.start) / done * (epochs - done)
            self.console.print(f"  {text}  {left:.0f} s left", soft_wrap=True)

    def on_train_end(self, logs=None):
        self.close()

    def close(self):
        """Takes the bar away; `train` calls it when training stops with an error too."""
        if self.bar:
            self.bar.stop()
