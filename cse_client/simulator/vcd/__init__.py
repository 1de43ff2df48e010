"""The VCD API: addresses, rules, documents.

`urls` finds the handler of a request; `handlers` read bodies and write answers; `cloud` and its
neighbors hold the state and the rules and know no HTTP; `documents` render; `errors` are what VCD
says when it refuses.
"""
