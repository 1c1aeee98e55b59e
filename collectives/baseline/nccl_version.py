"""NCCL's version number as people write it. Pure."""


def version_of(code: int) -> str:
    """NCCL_VERSION_CODE: 22907 is 2.29.7; up to 2.8 it was shorter, 2708 is 2.7.8 (nccl.h)."""
    if code < 10000:
        return f"{code // 1000}.{code // 100 % 10}.{code % 100}"
    return f"{code // 10000}.{code // 100 % 100}.{code % 100}"
