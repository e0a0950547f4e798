"""A page of HTML taken apart, for the tests of what `fastnn.plot.page` writes."""

import base64
from html.parser import HTMLParser
from xml.etree import ElementTree

VOID = {"meta", "img", "source", "br"}
URI = "data:image/svg+xml;base64,"
EVERY = [
    *("Learning curve: loss", "Learning curve: accuracy", "Learning rate", "Network", "Weights of the first layer"),
    *("Confusion matrix", "Activations", "Gradients"),
]


class Page(HTMLParser):
    """A page taken apart; an element that is not closed, or closes another, is an error."""

    def __init__(self, path):
        super().__init__()
        self.open, self.headings, self.pictures, self.tables, self.notes = [], [], [], {}, []
        self.links, self.tags = [], set()
        self.text = path.read_text(encoding="utf-8")
        self.feed(self.text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        given = dict(attributes)
        self.links += [value for name, value in given.items() if name in ("src", "srcset", "href", "data", "action")]
        assert not any(name.startswith("on") for name in given)
        if tag == "img":
            self.pictures.append((self.headings[-1], given["src"], given["alt"]))
        if tag not in VOID:
            self.open.append([tag, ""])
        if tag == "tr":
            self.tables[self.caption].append([])

    def handle_data(self, data):
        if self.open:
            self.open[-1][1] += data

    def handle_endtag(self, tag):
        opened, text = self.open.pop()
        assert opened == tag
        if tag in ("h1", "h2", "h3"):
            self.headings.append(text)
        elif tag == "caption":
            self.caption = text
            self.tables[text] = []
        elif tag in ("td", "th"):
            self.tables[self.caption][-1].append(text)
        elif tag == "p":
            self.notes.append(text)


def check_whole(page):
    """What holds for every page: nothing from elsewhere, nothing that runs, pictures that are pictures."""
    assert page.tags & {"script", "link", "iframe", "object", "base", "form", "a"} == set()
    assert page.links
    assert all(link.startswith(URI) for link in page.links)
    assert "url(" not in page.text
    for link in page.links:
        root = ElementTree.fromstring(base64.b64decode(link.removeprefix(URI)))
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        for element in root.iter():
            for name, value in element.attrib.items():
                if name.endswith("href"):
                    assert value.startswith(("#", "data:image/png;base64,"))
    assert "prefers-color-scheme: dark" in page.text


EMPTY = URI + base64.b64encode(b'<svg xmlns="http://www.w3.org/2000/svg"/>').decode()

# What a name may hold that a page must not act on.
HOSTILE = (
    "<script>alert('x')</script> & \"q\" <img src=http://x.example/ onerror=alert(1)> $\\frac{ ${title} \x00\ud800 語"
)


def sketched(draw, size):
    """Draws, but writes no SVG, which takes most of the time of a page."""
    from matplotlib.figure import Figure

    draw(Figure(figsize=size).add_subplot())
    return EMPTY, EMPTY
