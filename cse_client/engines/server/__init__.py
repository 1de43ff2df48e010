"""The server engine: the same commands carried out by a CSE server behind VCD's `/api/cse`.

`detect` finds the server and the protocol that it speaks, `extension` talks to it, `waiting`
follows what it started; `legacy` speaks the protocol of 2.x (and of 3.x in legacy mode), `entities`
that of 3.x.
"""
