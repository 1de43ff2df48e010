"""Debian packages in guests: the archives that they come from, dpkg's database, apt's sources.

An image that names its `packages` has real folders for programs, in which packages put links and
take them away; what is not installed is not there. Nothing here knows of a running guest.
"""
