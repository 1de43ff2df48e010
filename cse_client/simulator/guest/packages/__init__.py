"""Debian packages in guests: the archives that they come from, dpkg's database, and apt.

An image that names its `packages` has real folders for programs, in which packages put links and
take them away; what is not installed is not there. What apt answers was compared with apt 2.6.1.
"""
