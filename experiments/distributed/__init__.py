"""Several devices and several processes of one run: how they find each other, and where arrays live."""
