"""py-sequential: one request after another with requests, over one connection. The baseline."""
import weft_child
import weft_requests


def work(trial: weft_child.Trial) -> None:
    client = weft_requests.Client(trial.config)
    for unit in trial.units():
        with unit:
            unit.parse(client.get(unit.url))


weft_child.main(work)
