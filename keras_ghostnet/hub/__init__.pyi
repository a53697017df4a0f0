from .push import PushResult, push

__all__ = ["PushResult", "push"]
