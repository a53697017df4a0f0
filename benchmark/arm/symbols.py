"""Names the functions of an ELF library by their offset in the file."""

import numpy as np

# Of 64-bit little-endian ELF files: "Tool Interface Standard, ELF", and /usr/include/elf.h.
HEADER = np.dtype(
    [("ident", "S16"), ("type", "<u2"), ("machine", "<u2"), ("version", "<u4"), ("entry", "<u8")]
    + [("segments", "<u8"), ("sections", "<u8"), ("flags", "<u4"), ("size", "<u2")]
    + [("segment_size", "<u2"), ("segment_count", "<u2"), ("section_size", "<u2")]
    + [("section_count", "<u2"), ("names", "<u2")]
)
SEGMENT = np.dtype(
    [("type", "<u4"), ("flags", "<u4"), ("offset", "<u8"), ("address", "<u8")]
    + [("physical", "<u8"), ("file_size", "<u8"), ("memory_size", "<u8"), ("align", "<u8")]
)
SECTION = np.dtype(
    [("name", "<u4"), ("type", "<u4"), ("flags", "<u8"), ("address", "<u8"), ("offset", "<u8")]
    + [("size", "<u8"), ("link", "<u4"), ("info", "<u4"), ("align", "<u8"), ("entry", "<u8")]
)
SYMBOL = np.dtype(
    [("name", "<u4"), ("info", "u1"), ("other", "u1"), ("section", "<u2")]
    + [("address", "<u8"), ("size", "<u8")]
)
LOAD = 1  # segments that are mapped
SYMBOL_TABLES = (2, 11)  # the full one, and the dynamic one that stripping leaves
FUNCTION = 2


class Symbols:
    """The functions of an ELF file.

    Args:
        path: Where the file is; what is no 64-bit little-endian ELF file has no functions.
    """

    def __init__(self, path):
        self._content = path.read_bytes() if path.is_file() else b""
        self._functions = np.zeros(0, SYMBOL)
        self._names = []
        self._segments = np.zeros(0, SEGMENT)
        if self._content[:6] == b"\x7fELF\x02\x01":
            self._read()

    def name(self, offset):
        """The function that holds a byte of the file, by its offset; None if none is known."""
        for segment in self._segments:
            if 0 <= offset - int(segment["offset"]) < segment["file_size"]:
                return self._at(offset - int(segment["offset"]) + int(segment["address"]))
        return None

    def _at(self, address):
        index = np.searchsorted(self._functions["address"], address, "right") - 1
        if index < 0:
            return None
        function = self._functions[index]
        # Hand-written assembly may leave a function's size at 0.
        if function["size"] and address >= function["address"] + function["size"]:
            return None
        return self._names[index]

    def _read(self):
        header = np.frombuffer(self._content, HEADER, 1)[0]
        segments = self._table(SEGMENT, header["segments"], header["segment_count"])
        self._segments = segments[segments["type"] == LOAD]
        sections = self._table(SECTION, header["sections"], header["section_count"])
        tables, names = [], []
        for section in sections[np.isin(sections["type"], SYMBOL_TABLES)]:
            symbols = self._table(SYMBOL, section["offset"], section["size"] // SYMBOL.itemsize)
            tables.append(symbols[(symbols["info"] & 15 == FUNCTION) & (symbols["section"] != 0)])
            names.append(tables[-1]["name"] + sections[section["link"]]["offset"])
        if tables:
            functions, starts = np.concatenate(tables), np.concatenate(names)
            order = np.unique(functions["address"], return_index=True)[1]
            self._functions = functions[order]
            self._names = [self._string(start) for start in starts[order].tolist()]

    def _table(self, dtype, offset, count):
        return np.frombuffer(self._content, dtype, int(count), int(offset))

    def _string(self, start):
        return self._content[start : self._content.index(b"\0", start)].decode(errors="replace")
