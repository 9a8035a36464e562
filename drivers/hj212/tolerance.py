"""What is accepted although the standard says otherwise: each departure has a name, is counted, and changes no value.

All of them were met in captures of real stations.
"""

from __future__ import annotations

from enum import StrEnum


class Tolerance(StrEnum):
    # of the frame
    LENGTH = "length"  # the stated length is not that of the text whose CRC is right
    MODBUS_CRC = "modbus_crc"
    LOWER_CASE_CRC = "lower_case_crc"
    NO_TRAILER = "no_trailer"  # no CR LF behind the CRC
    LONG_SEGMENT = "long_segment"  # over 1024 bytes
    GBK = "gbk"  # Chinese text that is not UTF-8
    # of the fields before CP
    MISSING_QN = "missing_qn"
    QN_DIGITS = "qn_digits"
    MISSING_FLAG = "missing_flag"
    BAD_FLAG = "bad_flag"  # no number of 0 to 255
    MN_FORM = "mn_form"  # neither 24 nor 14 letters and digits
    PW_FORM = "pw_form"  # not six characters
    ST_FORM = "st_form"  # not two digits
    PACKETS_ORDER = "packets_order"  # PNO before PNUM
    PACKETS_UNFLAGGED = "packets_unflagged"  # PNUM and PNO although Flag does not say so
    PACKETS_MISSING = "packets_missing"  # Flag says so, PNUM or PNO are not there
    COMMA_FIELDS = "comma_fields"  # "," between fields
    UNKNOWN_FIELD = "unknown_field"
    NO_CP = "no_cp"
    # inside CP
    OPEN_CP = "open_cp"  # no && at the end
    TRAILING_SEPARATOR = "trailing_separator"
    NO_VALUE = "no_value"  # a name without "="
    TIME_DIGITS = "time_digits"  # DataTime of 12 or 17 digits
    MISSING_TIME = "missing_time"  # no DataTime; QN stands in
    BARE_FLAG = "bare_flag"  # "Flag=N" of no factor
    DOUBLED_SUFFIX = "doubled_suffix"  # LA-Rtd-Rtd
    UNKNOWN_SUFFIX = "unknown_suffix"  # -Ori -ValidNum -TotalNum
    FLAG_FIRST = "flag_first"  # the flag before the value it speaks of
    # of the dialogue
    QN_IN_CP = "qn_in_cp"  # an answer that names its request inside CP (2005)
    NO_READY = "no_ready"  # 9012 without 9011
