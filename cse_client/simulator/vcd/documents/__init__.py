"""Rendering: one function per document, state in, elements out.

The order of elements is that of VCD's schemas (API level 30); what came later is listed in
`tests/simulator/vcd/schemas.py`, element by element.
"""
