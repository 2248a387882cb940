"""Gives a test items and feeds in the format of NASA's launch schedule."""

HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/">
<channel><title>Launch Schedule - NASA</title><link>https://www.nasa.gov/event-type/launch-schedule/</link>"""


TAIL = "</channel></rss>"


def item(title: str, text: str, link: str = "https://www.nasa.gov/event/psyche/", more: str = "") -> str:
    return f"""<item><title>{title}</title><link>{link}</link><pubDate>Mon, 02 Oct 2023 15:00:00 +0000</pubDate>
<guid isPermaLink="false">https://www.nasa.gov/?post_type=event&#038;p=1{len(title)}</guid>
<description><![CDATA[{text}]]></description>{more}</item>"""


PSYCHE = item("Psyche", "<p>No Earlier Than October 13, 2023 10:19 am</p><p>Selected in January 2017.</p>")


# Real launches: IXPE on 9 December 2021 06:00 UTC; Artemis I on 16 November 2022 06:47 UTC.
IXPE = item("IXPE", "Date: Dec. 9, 2021, 1:00 a.m. EST", "https://www.nasa.gov/event/ixpe/")


ARTEMIS = item(
    "Artemis I &#8211; Moon",
    "The first flight of SLS",
    "https://www.nasa.gov/event/artemis-i/",
    "<content:encoded><![CDATA[<div>Built since 2011</div><div>November 2022</div>]]></content:encoded>",
)


def feed(*items: str) -> bytes:
    return f"{HEAD}{''.join(items)}{TAIL}".encode()


PLAIN = feed(PSYCHE, IXPE, ARTEMIS)
