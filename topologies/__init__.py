"""The shared vocabulary: fabric, demand, path, names and addresses. Pure: nothing here opens a file or a socket.

Import from the modules (``from topologies.fabric import Fabric``): this package imports nothing, to be quick.
"""
