"""The kinds of files that message/magic.py tells, by family, and those that names promise. Pure."""

EXECUTABLES = frozenset({"exe", "elf", "macho", "class", "dex", "wasm", "msi", "lnk", "swf"})
SCRIPTS = frozenset({"script", "js", "vbs", "ps1", "bat", "hta", "wsf", "reg", "url", "chm"})
_ARCHIVES = "zip rar 7z gz bz2 xz lzma zst lz4 z tar cab iso arj lha ace cpio ar deb rpm xar vhd"
ARCHIVES = frozenset((*_ARCHIVES.split(), "vhdx", "jar", "apk", "tnef"))
_OFFICE = "doc xls ppt ole mdb docx xlsx pptx docm xlsm pptm ooxml odf rtf one pdf"
OFFICE = frozenset(_OFFICE.split())
_IMAGES = "png jpg gif bmp tiff webp ico heic avif psd wmf emf svg"
IMAGES = frozenset(_IMAGES.split())
MACROS = frozenset({"docm", "xlsm", "pptm"})

_ENDINGS = {
    **dict.fromkeys(("scr", "com", "pif", "dll", "cpl", "sys", "ocx", "xll"), "exe"),
    "jse": "js",
    "vbe": "vbs",
    "cmd": "bat",
    "sh": "script",
    "py": "script",
    "wsc": "wsf",
    "tgz": "gz",
    "tbz": "bz2",
    "txz": "xz",
    "img": "iso",
    "dotm": "docm",
    "xlsb": "xlsm",
    "xltm": "xlsm",
    "xlam": "xlsm",
    "potm": "pptm",
    "ppsm": "pptm",
}


def kind_of_name(name: str) -> str:
    """What a file is by the ending of its name, where its octets can't be read: programs, scripts,
    archives and documents with macros; "" for others.
    """
    ending = name.rpartition(".")[2].strip().lower()
    if ending in _ENDINGS:
        return _ENDINGS[ending]
    known = ending in ARCHIVES or ending in EXECUTABLES or ending in SCRIPTS or ending in MACROS
    return ending if known and "." in name else ""
