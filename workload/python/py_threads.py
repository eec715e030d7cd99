"""py-threads: requests in the threads of a ThreadPoolExecutor, one session for all."""
from concurrent.futures import ThreadPoolExecutor

import weft_child
import weft_requests


def work(trial: weft_child.Trial) -> None:
    client = weft_requests.Client(trial.config)

    def fetch(unit: weft_child.Unit) -> None:
        with unit:
            unit.parse(client.get(unit.url))

    with ThreadPoolExecutor(max_workers=trial.config.concurrency) as pool:
        for _ in pool.map(fetch, trial.units()):
            pass  # what a unit cannot count as its own failure is raised here


weft_child.main(work)
