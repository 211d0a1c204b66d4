//! Bytes become text: encodings, web pages and their entities. Every place can be found again in the file.

use heliu_model::{Problem, text};

use crate::repair::{Kind, Note, excerpt};
use crate::rewrite;

/// Largest file that is read, in bytes.
pub const MAX_BYTES: usize = 8 << 20;

/// A text that is read, and how it came out of the file.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// What is read.
    pub text: String,
    /// Repairs that made it; places are bytes of `text`.
    pub notes: Vec<Note>,
    /// Where the distance between the two texts changes: byte of `text`, byte of the file's text.
    steps: Vec<(usize, usize)>,
}

impl Source {
    pub(crate) fn plain(text: String) -> Source {
        Source { text, notes: Vec::new(), steps: Vec::new() }
    }

    /// What is appended from here on comes from byte `from` of the file's text.
    pub(crate) fn goes_on_at(&mut self, from: usize) {
        self.steps.push((self.text.len(), from));
    }

    /// The byte of the file's text that a byte of `text` came from.
    pub fn origin(&self, at: usize) -> usize {
        match self.steps.partition_point(|(to, _)| *to <= at).checked_sub(1).and_then(|i| self.steps.get(i)) {
            Some((to, from)) => from + (at - to),
            None => at,
        }
    }
}

/// The file's text, with a note where its bytes are not plain UTF-8.
pub(crate) fn decode(bytes: &[u8]) -> Result<(String, Vec<Note>), Problem> {
    if bytes.len() > MAX_BYTES {
        let most = MAX_BYTES >> 20;
        return Err(Problem::error(
            "HL-1501",
            "",
            text!("the file is larger than {most} MiB", "文件超过 {most} MiB"),
        )
        .hint(text!(
            "metadata is a few kilobytes; cut out the part that holds it",
            "元数据通常只有几 KB;请只保留相关部分"
        )));
    }
    let note =
        |found: &str, done| Note { at: 0, kind: Kind::Encoding, found: found.to_owned(), done, count: 1 };
    if let Some(rest) = bytes.strip_prefix(b"\xef\xbb\xbf")
        && let Ok(s) = std::str::from_utf8(rest)
    {
        let done = text!("the byte order mark was removed", "已去除字节序标记");
        return Ok((s.to_owned(), vec![note("BOM", done)]));
    }
    for (mark, encoding) in
        [(&b"\xff\xfe"[..], encoding_rs::UTF_16LE), (&b"\xfe\xff"[..], encoding_rs::UTF_16BE)]
    {
        if let Some(rest) = bytes.strip_prefix(mark) {
            let (s, wrong) = encoding.decode_without_bom_handling(rest);
            if !wrong {
                let done = text!("read as UTF-16", "按 UTF-16 读取");
                return Ok((s.into_owned(), vec![note(encoding.name(), done)]));
            }
        }
    }
    if let Ok(s) = std::str::from_utf8(bytes) {
        return Ok((s.to_owned(), Vec::new()));
    }
    let (s, wrong) = encoding_rs::GB18030.decode_without_bom_handling(bytes);
    if wrong || s.chars().any(|c| c == '\0') {
        return Err(Problem::error(
            "HL-1503",
            "",
            text!("the file is no text that can be read", "文件不是可识别的文本"),
        )
        .hint(text!("save it as UTF-8, or as .xlsx", "请另存为 UTF-8 文本或 .xlsx")));
    }
    let done = text!("not UTF-8; read as GB18030", "不是 UTF-8,按 GB18030 读取");
    Ok((s.into_owned(), vec![note("GB18030", done)]))
}

/// The readings of a text that are tried: as it stands, and as a web page's source where it looks like one.
pub(crate) fn readings(text: &str) -> Vec<Source> {
    let mut out = vec![Source::plain(text.to_owned())];
    if looks_like_markup(text) {
        out.push(without_markup(text));
    }
    out.extend(rewrite::without_line_marks(text));
    out.extend(rewrite::out_of_a_text(text));
    out
}

/// True when the text looks like a web page's source.
pub(crate) fn looks_like_markup(text: &str) -> bool {
    let low = text.to_ascii_lowercase();
    let signs = [
        "</p>", "</div>", "</pre>", "</code>", "</span>", "</td>", "</li>", "<br", "</html>", "&quot;",
        "&#34;", "&#x22;", "&nbsp;", "&ldquo;", "&rdquo;",
    ];
    signs.iter().any(|s| low.contains(s))
}

/// Elements whose tags are taken out; anything else between angle brackets is text.
const TAGS: &[&str] = &[
    "a",
    "abbr",
    "article",
    "b",
    "blockquote",
    "body",
    "br",
    "button",
    "center",
    "code",
    "dd",
    "del",
    "div",
    "dl",
    "dt",
    "em",
    "figcaption",
    "figure",
    "font",
    "footer",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "head",
    "header",
    "hr",
    "html",
    "i",
    "img",
    "ins",
    "kbd",
    "label",
    "li",
    "link",
    "main",
    "mark",
    "meta",
    "nav",
    "ol",
    "p",
    "pre",
    "q",
    "s",
    "samp",
    "script",
    "section",
    "small",
    "span",
    "strong",
    "style",
    "sub",
    "sup",
    "svg",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "title",
    "tr",
    "tt",
    "u",
    "ul",
    "var",
];

/// Elements that begin or end a line.
const LINES: &[&str] = &[
    "br", "p", "div", "pre", "li", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "table", "ul", "ol", "section",
];

const LONGEST_TAG: usize = 4_096;

/// Length of the tag at the beginning of `s`, and the element's name in lower case.
fn tag(s: &str) -> Option<(usize, String)> {
    if s.starts_with("<!--") {
        let inner = s.get(4..)?;
        let end = inner.find("-->")?;
        return (end < 1 << 16).then(|| (end + 7, "!".to_owned()));
    }
    if s.get(..9).is_some_and(|d| d.eq_ignore_ascii_case("<!doctype")) {
        return s.bytes().take(LONGEST_TAG).position(|b| b == b'>').map(|end| (end + 1, "!".to_owned()));
    }
    let inner = s.get(1..)?;
    let inner = inner.strip_prefix('/').unwrap_or(inner);
    let len = inner.bytes().take(12).take_while(u8::is_ascii_alphanumeric).count();
    let name = inner.get(..len)?.to_ascii_lowercase();
    if !TAGS.contains(&name.as_str())
        || !matches!(inner.as_bytes().get(len)?, b' ' | b'\n' | b'\t' | b'/' | b'>')
    {
        return None;
    }
    let mut quote = 0u8;
    for (i, b) in s.bytes().take(LONGEST_TAG).enumerate() {
        match b {
            b'"' | b'\'' if quote == 0 => quote = b,
            b if b == quote => quote = 0,
            b'>' if quote == 0 => return Some((i + 1, name)),
            _ => {}
        }
    }
    None
}

/// The character that an entity stands for, and the entity's length.
fn entity(s: &str) -> Option<(char, usize)> {
    let end = s.bytes().take(12).position(|b| b == b';')?;
    let name = s.get(1..end)?;
    let c = if let Some(digits) = name.strip_prefix('#') {
        let code = match digits.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16),
            None => digits.parse(),
        };
        char::from_u32(code.ok()?)?
    } else {
        match name {
            "quot" => '"',
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "nbsp" | "ensp" | "emsp" | "thinsp" => '\u{a0}',
            "apos" => '\'',
            "ldquo" => '“',
            "rdquo" => '”',
            "lsquo" => '‘',
            "rsquo" => '’',
            "hellip" => '…',
            "middot" => '·',
            "mdash" => '—',
            "ndash" => '–',
            "times" => '×',
            "yen" => '¥',
            "copy" => '©',
            "zwnj" => '\u{200c}',
            "zwj" => '\u{200d}',
            _ => return None,
        }
    };
    Some((c, end + 1))
}

/// A web page's source without its tags, its entities as characters.
fn without_markup(file: &str) -> Source {
    let mut out = Source::plain(String::with_capacity(file.len()));
    let mut at = 0;
    while let Some(rest) = file.get(at..) {
        let plain = rest.find(['<', '&']).unwrap_or(rest.len());
        out.text.push_str(rest.get(..plain).unwrap_or(""));
        at += plain;
        let Some(rest) = file.get(at..).filter(|r| !r.is_empty()) else { break };
        if rest.starts_with('<')
            && let Some((len, name)) = tag(rest)
        {
            let found = excerpt(rest.get(..len).unwrap_or(""));
            let done = text!("a tag of the page was taken out", "已去除网页标签");
            out.notes.push(Note { at: out.text.len(), kind: Kind::Markup, found, done, count: 1 });
            if LINES.contains(&name.as_str()) {
                out.text.push('\n');
            }
            at += len;
        } else if rest.starts_with('&')
            && let Some((c, len)) = entity(rest)
        {
            let found = rest.get(..len).unwrap_or("").to_owned();
            let done = text!("is read as `{c}`", "按 `{c}` 读取");
            out.notes.push(Note { at: out.text.len(), kind: Kind::Entity, found, done, count: 1 });
            out.text.push(c);
            at += len;
        } else {
            let c = rest.chars().next().unwrap_or(' ');
            out.text.push(c);
            at += c.len_utf8();
            continue;
        }
        out.steps.push((out.text.len(), at));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_read_without_their_tags() {
        let page =
            "<pre>{&quot;a&quot;: <span class=\"x>y\">1</span>,<br>&#34;b&#34;:&nbsp;2 &lt; x<y}</pre>";
        let s = without_markup(page);
        assert_eq!(s.text, "\n{\"a\": 1,\n\"b\":\u{a0}2 < x<y}\n");
        for (needle, place) in [("\"a", "&quot;a"), ("1,", "1</span"), ("2 <", "2 &lt;"), ("x<y", "x<y}")] {
            let at = s.text.find(needle).unwrap_or_default();
            assert!(page[s.origin(at)..].starts_with(place), "{needle}: {}", &page[s.origin(at)..]);
        }
    }

    #[test]
    fn bytes_of_all_kinds() {
        let gb = encoding_rs::GB18030.encode("{\"店铺\":1}").0.into_owned();
        assert_eq!(decode(&gb).map(|d| d.0).as_deref(), Ok("{\"店铺\":1}"));
        let utf16: Vec<u8> =
            [0xff, 0xfe].into_iter().chain("{\"店\":1}".encode_utf16().flat_map(u16::to_le_bytes)).collect();
        assert_eq!(decode(&utf16).map(|d| d.0).as_deref(), Ok("{\"店\":1}"));
        assert_eq!(decode(b"\xef\xbb\xbf{}").map(|d| (d.0, d.1.len())), Ok(("{}".into(), 1)));
        assert!(decode(b"\x00\x01\xff\xfe\x80").is_err());
        assert!(decode(&vec![b' '; MAX_BYTES + 1]).is_err());
    }
}
