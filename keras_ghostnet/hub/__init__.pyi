from .pushing import PushResult, push

__all__ = ["PushResult", "push"]
