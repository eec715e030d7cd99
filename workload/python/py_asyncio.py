"""py-asyncio: aiohttp, a coroutine a page, on one thread and one event loop."""
import weft_child  # first, so that it can tell weft of a library that is missing
import asyncio

import aiohttp

# An aiohttp error that does not come from one of Python's own.
weft_child.CAUSES += [
    (asyncio.TimeoutError, weft_child.TIMEOUT),  # not TimeoutError before Python 3.11
    (aiohttp.ServerDisconnectedError, weft_child.RESET),
    (aiohttp.ClientPayloadError, weft_child.CUT),
]


def work(trial: weft_child.Trial) -> None:
    asyncio.run(fetch_all(trial))


async def fetch_all(trial: weft_child.Trial) -> None:
    config = trial.config
    limit = {"limit": config.concurrency} if config.concurrency else {}
    slots = asyncio.Semaphore(config.concurrency or config.requests)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(force_close=not config.keepalive, **limit),
        timeout=aiohttp.ClientTimeout(total=config.timeout),
        headers={"Accept-Encoding": "identity"},  # as the other models
    ) as session:

        async def fetch(unit: weft_child.Unit) -> None:
            # Not the connector's queue alone: aiohttp's timeout counts the wait in it.
            async with slots:
                with unit:
                    unit.parse(await get(session, unit.url, config.keepalive))

        await asyncio.gather(*(fetch(unit) for unit in trial.units()))


async def get(session: aiohttp.ClientSession, url: str, keepalive: bool) -> bytes:
    """The body of a page. A kept connection that had ended is no failure: asked once more."""
    try:
        return await ask(session, url)
    except aiohttp.ClientConnectionError as error:
        if not keepalive or weft_child.cause_of(error) != weft_child.RESET:
            raise
    return await ask(session, url)


async def ask(session: aiohttp.ClientSession, url: str) -> bytes:
    protocol = None
    try:
        async with session.get(url, allow_redirects=False) as response:
            if response.connection:  # else the whole answer is there already
                protocol = response.connection.protocol
            if response.status != 200:
                raise weft_child.StatusError(response.status)
            return await response.read()
    except aiohttp.ServerDisconnectedError as error:
        if not isinstance(error.message, str):  # but half an answer
            raise weft_child.CutError("in its header") from None
        raise
    except aiohttp.ClientPayloadError:
        # aiohttp 3.8 keeps to itself why the connection ended.
        if protocol is not None and isinstance(protocol.exception(), OSError):
            raise protocol.exception() from None
        raise


weft_child.main(work)
