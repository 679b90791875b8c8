"""A continuous intake index: each new trajectory is told at once whether one like it was accepted before.

`index.py` is the library form, `IntakeIndex`; `server.py` speaks to Redis; `sketch.py` makes what is compared and
`bands.py` finds candidates; `outbox.py` brings accepted records into files, each once; `reading.py` reads inputs.
"""
