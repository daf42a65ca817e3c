# SPDX-License-Identifier: MIT
"""The modules of the command fastsync. The entry is cli.main."""
