"""Gives a test rows and pages in the format of Wikipedia's list of launches."""

SUP = '<sup id="cite_ref-7" class="reference"><a href="#cite_note-7">[7]</a></sup>'


PAST = f"""<table class="wikitable plainrowheaders collapsible"><tbody><tr>
<th scope="col">Flight No.</th><th>Date and<br>time (<a href="/wiki/UTC">UTC</a>)</th>
<th>Version,<br>Booster{SUP}</th><th>Launch site</th><th>Payload{SUP}</th><th>Payload mass</th><th>Orbit</th>
<th>Customer</th><th>Launch<br>outcome</th><th>Booster<br>landing</th></tr>"""


CRS_1 = f"""<tr><th scope="row" rowspan="3">4</th><td rowspan="2">8 October 2012,<br>00:35{SUP}</td>
<td rowspan="2"><a href="/wiki/Falcon_9_v1.0">F9 v1.0</a>{SUP}<br>B0006.1</td><td rowspan="2">CCAFS,<br>SLC-40</td>
<td><a>SpaceX CRS-1</a><br>(Dragon C103)</td><td>4,700 kg</td><td>LEO (<a>ISS</a>)</td><td>NASA</td>
<td class="table-success">Success{SUP}</td><td rowspan="2">No attempt</td></tr>
<tr><td>Orbcomm-OG2</td><td>172 kg</td><td>LEO</td><td>Orbcomm</td><td>Partial failure</td></tr>
<tr><td colspan="9">CRS-1 was successful, on 8 October 2012.{SUP}</td></tr>"""


HEAVY = """<tr><th rowspan="4">FH 1</th><td rowspan="3">6 February 2018,<br>20:45</td><td>Falcon Heavy<br>B1033.1</td>
<td rowspan="3">KSC,<br>LC-39A</td><td rowspan="3">Elon Musk's Tesla Roadster</td><td rowspan="3">~1,250 kg</td>
<td rowspan="3">Heliocentric</td><td rowspan="3">SpaceX</td><td rowspan="3">Success</td><td>Failure</td></tr>
<tr><td>B1023.2 (side) ♺</td><td>Success</td></tr><tr><td>B1025.2 (side) ♺</td><td>Success</td></tr>
<tr><td colspan="9">Maiden flight of Falcon Heavy</td></tr>"""


AMOS_6 = """<tr><th rowspan="2"></th><td>3 September 2016,<br>07:00 (planned)</td><td>F9 FT<br>B1028</td>
<td>Cape Canaveral,<br>LC-40</td><td>Amos-6</td><td>5,500 kg</td><td>GTO</td><td>Spacecom</td>
<td>Precluded<br><small>(failure pre-flight)</small></td><td>Precluded</td></tr><tr><td colspan="9">Lost.</td></tr>"""


def past(*rows: str) -> bytes:
    return f"<!DOCTYPE html><html><body>{PAST}{''.join(rows)}</tbody></table></body></html>".encode()
