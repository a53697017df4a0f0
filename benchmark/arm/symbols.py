"""Names the functions of an ELF library by their offset in the file."""

import bisect
import pathlib


class Symbols:
    """The functions of an ELF file.

    Args:
        path: Where the file is; what is no ELF file has no functions.
    """

    def __init__(self, path: pathlib.Path):
        from elftools.common.exceptions import ELFError
        from elftools.elf.elffile import ELFFile
        from elftools.elf.sections import SymbolTableSection

        self._segments: list[tuple[int, int, int]] = []
        functions: dict[int, tuple[str, int]] = {}
        try:
            with path.open("rb") as file:
                elf = ELFFile(file)
                self._segments = [
                    (segment["p_offset"], segment["p_filesz"], segment["p_vaddr"])
                    for segment in elf.iter_segments("PT_LOAD")
                ]
                for section in elf.iter_sections():  # stripping leaves the dynamic table alone
                    if isinstance(section, SymbolTableSection):
                        for symbol in _functions(section):
                            value = symbol.name, symbol["st_size"]
                            functions.setdefault(symbol["st_value"], value)
        except (ELFError, OSError):
            pass
        self._addresses = sorted(functions)
        self._functions = [functions[address] for address in self._addresses]

    def name(self, offset: int) -> str | None:
        """The function that holds a byte of the file, by its offset; None if none is known."""
        for start, size, address in self._segments:
            if 0 <= offset - start < size:
                return self._at(offset - start + address)
        return None

    def _at(self, address):
        index = bisect.bisect(self._addresses, address) - 1
        if index < 0:
            return None
        name, size = self._functions[index]
        # Hand-written assembly may leave a function's size at 0.
        return name if not size or address < self._addresses[index] + size else None


def _functions(section):
    """The functions that a symbol table defines."""
    return (
        symbol
        for symbol in section.iter_symbols()
        if symbol["st_info"]["type"] == "STT_FUNC" and symbol["st_shndx"] != "SHN_UNDEF"
    )
