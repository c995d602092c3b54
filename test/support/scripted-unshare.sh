#!/bin/sh
# Plays `unshare OPTION... -- PROGRAM ARGUMENT...` where what the program is played by needs no namespace.
while [ "$1" != -- ]; do shift; done
shift
exec "$@"
