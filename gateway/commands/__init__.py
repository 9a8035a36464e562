"""Commands to devices: typed, limited, expiring, confirmed by read-back and by effect (law 7)."""
