"""py-gevent: requests, patched to wait in gevent's loop, in the greenlets of a pool."""
import weft_child  # before the patch: the thread of a traced trial has to be a real one
from gevent import monkey

monkey.patch_all()

import gevent
from gevent.pool import Pool

import weft_requests


def work(trial: weft_child.Trial) -> None:
    client = weft_requests.Client(trial.config)
    seconds = trial.config.timeout

    def fetch(unit: weft_child.Unit) -> None:
        with unit:
            with gevent.Timeout(seconds, TimeoutError(f"took longer than {seconds} s")):
                body = client.get(unit.url)
            unit.parse(body)

    Pool(trial.config.concurrency).map(fetch, trial.units())


weft_child.main(work)
