#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""embed HEADER TYPE SYMBOL OUTPUT FILE...: write the FILEs into the C file OUTPUT.

It defines `const struct TYPE SYMBOLs[]` (name, bytes, size), in the order given, and
`SYMBOL_count`, as HEADER declares them.
"""
import pathlib
import sys

header, type_name, symbol, output, *files = sys.argv[1:]

arrays, rows = [], []
for number, path in enumerate(map(pathlib.Path, files)):
    data = path.read_bytes()
    lines = [",".join(str(byte) for byte in data[i:i + 32]) for i in range(0, len(data), 32)]
    arrays.append(f"static const char data_{number}[] = {{\n" + ",\n".join(lines) + "};\n")
    rows.append(f'\t{{"{path.name}", data_{number}, sizeof(data_{number})}},\n')

pathlib.Path(output).write_text(
    f'#include "{header}"\n\n' + "".join(arrays) +
    f"const struct {type_name} {symbol}s[] = {{\n" + "".join(rows) + "};\n" +
    f"const size_t {symbol}_count = {len(files)};\n", encoding="utf-8")
