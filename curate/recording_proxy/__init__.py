"""An OpenAI-compatible reverse proxy that records: exchanges pass through, trajectories come out.

`server` passes requests on and hands each finished exchange to `recorder`, whose thread reads it (`exchange`,
`replies`), links it to the trajectory it goes on from (`sessions`), makes it durable (`journal`) and writes
finished trajectories (`lines`).
"""
