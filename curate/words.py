"""What a word is, for near-duplicates: a fixed table from code points to three classes, the same in every version.

A word is a longest run of letters and digits, case kept. Scripts that put no space between words (Han, kana, Thai,
Lao, Khmer, Myanmar, Yi), pictographs and emoji count each code point as a word. All else separates words.
The table is written out by blocks instead of asking `unicodedata`, whose answer changes with each Python release.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

SEPARATOR, LETTER, SOLO = 0, 1, 2

SHINGLE_WORDS = 5
"""Words a shingle; a shorter text is one shingle of what there is."""

# Not listed: U+00C0 and above are letters, so that scripts yet to come are words; first and last are included.
_SEPARATORS = """
0080-00A9 00AB-00B4 00B6-00B9 00BB-00BF 00D7 00F7 02C2-02C5 02D2-02DF 037E 0387 055A-055F 0589-058A 05BE 05C0 05C3
05F3-05F4 0600-060F 061B-061F 066A-066D 06D4 0700-070F 07F7-07F9 0830-083E 085E 0964-0965 0970 0DF4 0E3F 0E4F
0E5A-0E5B 0F01-0F17 0F34 0F36 0F38 0F3A-0F3D 104A-104F 10FB 1360-1368 1400 166D-166E 1680 169B-169C 16EB-16ED
1735-1736 17D4-17D6 17D8-17DB 1800-180A 180E 1944-1945 1A1E-1A1F 1AA0-1AA6 1AA8-1AAD 1B5A-1B6A 1BFC-1BFF 1C3B-1C3F
1C7E-1C7F 1CC0-1CC7 2000-200B 200E-206F 207A-207E 208A-208E 20A0-20CF 2190-245F 249C-25FF 2768-2775 2794-2BFF
2CF9-2CFF 2D70 2E00-2E7F 2FF0-2FFF 3000-3004 3008-3020 3030 303D-303F 30A0 30FB A4FE-A4FF A60D-A60F A673 A67E
A6F2-A6F7 A874-A877 A8CE-A8CF A8F8-A8FA A92E-A92F A95F A9C1-A9CD A9DE-A9DF AA5C-AA5F AADE-AADF AAF0-AAF1 ABEB
D800-DFFF FD3E-FD3F FE10-FE1F FE30-FE6F FEFF-FF0F FF1A-FF20 FF3B-FF40 FF5B-FF65 FFE0-FFFF 10100-10102 1039F 103D0
E0000-E007F
"""
_SOLO = """
0E01-0E3E 0E40-0E4E 0E50-0E59 0E80-0EFF 1000-1049 1050-109F 1780-17D3 17D7 17DC-17FF 19E0-19FF 2600-2767 2776-2793
2E80-2FDF 3005-3007 3021-302F 3031-303C 3040-309F 30A1-30FA 30FC-312F 31A0-31BF 31F0-31FF 3200-4DBF 4E00-A4CF
A9E0-A9FF AA60-AA7F F900-FAFF FF66-FF9F 16FE0-18DFF 1AFF0-1B2FF 1F000-1FAFF 20000-3FFFF
"""
_ASCII_WORDS = "0030-0039 0041-005A 0061-007A"


@cache
def class_table() -> NDArray[np.uint8]:
    """The class of every code point, shape (0x110000,), values `SEPARATOR`, `LETTER`, `SOLO`; do not write to it."""
    table = np.full(0x110000, LETTER, np.uint8)
    table[:0x80] = SEPARATOR
    for ranges, kind in ((_SEPARATORS, SEPARATOR), (_SOLO, SOLO), (_ASCII_WORDS, LETTER)):
        for item in ranges.split():
            first, _, last = item.partition("-")
            table[int(first, 16) : int(last or first, 16) + 1] = kind
    table.flags.writeable = False
    return table
