//! A paged API as a source.

use std::sync::Arc;

use async_trait::async_trait;
use chrono_tz::Tz;
use heliu_model::call::Exchange;
use heliu_model::ports::{Page, PageRequest, Prepared, Source, SourceShape};
use heliu_model::walk::{PageAt, Paging};
use heliu_model::{CallKind, Failure, Problem, text};
use heliu_transform::mapping::Request;
use heliu_transform::metadata::Item;
use heliu_transform::{Context, Map, Metadata, Number, Path, Value, records};

use super::account::{Account, Ask, Params};
use super::client::Reply;
use super::outcome::{Reading, cut};
use crate::manifest::ReplyForm;

/// A source on an HTTP platform.
pub struct HttpSource {
    account: Arc<Account>,
    request: Request,
    path: String,
    reading: Reading,
    shape: SourceShape,
    tz: Tz,
    fields: PageFields,
    anchor_param: Option<String>,
    anchor_page: Option<i64>,
    signs: Signs,
    /// Pages are asked for with parameters.
    paged: bool,
    start: i64,
}

/// Which parameters carry the page.
#[derive(Debug, Default)]
struct PageFields {
    page: Option<String>,
    size: Option<String>,
    offset: Option<String>,
    cursor: Option<String>,
}

/// Where a reply says how it goes on.
#[derive(Debug, Default)]
struct Signs {
    total: Vec<Path>,
    pages: Vec<Path>,
    size: Vec<Path>,
    has_next: Vec<Path>,
    next: Vec<Path>,
}

impl Signs {
    fn new(form: &ReplyForm, meta: &Metadata) -> Self {
        // What the document says comes first.
        let own = |keys: &[&str], places: &[String]| -> Vec<Path> {
            keys.iter()
                .filter_map(|k| said(meta, k))
                .chain(places.iter().cloned())
                .map(|p| Path::with_slashes(&p))
                .collect()
        };
        let next = meta.reply_key("pagekey").or_else(|| meta.reply_key("cursorkey")).map(str::to_owned);
        let mut signs = Signs {
            total: own(&["totalField"], &form.total),
            pages: own(&[], &form.pages),
            size: own(&[], &form.size),
            has_next: own(&["hasNextField"], &form.has_next),
            next: own(&["cursorPath"], &form.next),
        };
        if let Some(key) = next.filter(|k| !k.trim().is_empty()) {
            signs.next.insert(0, Path::with_slashes(&key));
        }
        signs
    }
}

/// A setting of `pagination`.
fn said(meta: &Metadata, key: &str) -> Option<String> {
    meta.raw.get_path(&format!("pagination.{key}")).map(|v| v.in_text()).filter(|s| !s.trim().is_empty())
}

/// Marks a cursor that is the address of the next page.
const LINK: &str = "link:";

/// True when an item's value uses a page variable.
fn uses(item: &Item, names: &[&str]) -> bool {
    item.value.as_ref().is_some_and(|v| names.iter().any(|n| v.in_text().contains(n)))
}

impl HttpSource {
    /// A source for a document.
    ///
    /// # Errors
    /// What is wrong with the document for this platform.
    pub fn new(account: Arc<Account>, meta: &Metadata, tz: Tz) -> Result<HttpSource, Vec<Problem>> {
        let manifest = account.manifest.clone();
        let (path, api) = manifest.api(&meta.api);
        let paging = &manifest.paging;
        let pick = |names: &[String], vars: &[&str]| -> Option<String> {
            meta.request
                .iter()
                .chain(&meta.other_request)
                .find(|i| uses(i, vars) || names.contains(&i.field))
                .map(|i| i.field.clone())
        };
        let named = |keys: &[&str]| keys.iter().find_map(|k| said(meta, k));
        let mut fields = PageFields {
            page: named(&["pageField", "pageParam"])
                .or_else(|| pick(&paging.page, &["PAGINATION_START_PAGE", "PAGE_NO", "$pageNumber"])),
            size: named(&["pageSizeField", "sizeField", "sizeParam"])
                .or_else(|| pick(&paging.size, &["PAGINATION_PAGE_SIZE", "PAGE_SIZE"])),
            offset: named(&["offsetField", "offsetParam"])
                .or_else(|| pick(&paging.offset, &["PAGINATION_START_ROW"])),
            cursor: named(&["cursorField", "cursorParam"])
                .or_else(|| pick(&paging.cursor, &["LAST_ID", "$cursor"])),
        };
        let has_fields = fields.page.is_some() || fields.offset.is_some();
        let style = match paging.style.as_str() {
            "page" => {
                // The platform pages by itself where the request says nothing.
                fields.page = fields.page.or_else(|| paging.page.first().cloned());
                fields.size = fields.size.or_else(|| paging.size.first().cloned());
                Paging::Numbered
            }
            "none" => Paging::Single,
            _ if fields.cursor.is_some() => Paging::Cursor,
            _ if has_fields && (meta.paged || uses_any_page_variable(meta)) => Paging::Numbered,
            // Nothing is asked for by page: if the reply links to a next one, that is followed.
            _ if manifest.reply.link_header => Paging::Cursor,
            _ => Paging::Single,
        };
        let anchor = api.and_then(|a| a.anchor.as_ref());
        let style = if anchor.is_some() && style == Paging::Numbered { Paging::Anchored } else { style };
        let asked = meta.page_size.unwrap_or_else(|| api.and_then(|a| a.max_page_size).unwrap_or(100));
        let size = asked.min(api.and_then(|a| a.max_page_size).unwrap_or(u32::MAX)).max(1);
        let shape = SourceShape {
            paging: style,
            page_size: size,
            max_window_ms: api.and_then(|a| a.max_window_days).map(|d| i64::from(d) * 86_400_000),
            stamp: api.and_then(|a| a.stamp.clone()),
            anchor: anchor.map(|a| a.path.clone()),
            concurrency: account.concurrency(),
        };
        let reading = Reading::new(&manifest.reply, api.and_then(|a| a.list.as_deref()), Some(meta), false);
        Ok(HttpSource {
            request: Request::compile(meta),
            path,
            reading,
            shape,
            tz,
            fields,
            anchor_param: anchor.map(|a| a.param.clone()),
            anchor_page: anchor.and_then(|a| a.page),
            signs: Signs::new(&manifest.reply, meta),
            paged: match style {
                Paging::Numbered | Paging::Anchored => true,
                Paging::Cursor => meta.paged || uses_any_page_variable(meta),
                Paging::Single => false,
            },
            start: meta.start_page.unwrap_or(paging.start),
            account,
        })
    }

    fn ask(&self, request: &PageRequest) -> Result<Ask, Failure> {
        let meta = self.request.metadata();
        let size = i64::from(self.shape.page_size);
        let number = match &request.at {
            PageAt::Number(n) => i64::from(*n),
            _ => 1,
        };
        let cursor = match &request.at {
            PageAt::Cursor(c) if !c.is_empty() => Some(c.as_str()),
            _ => None,
        };
        if let Some(link) = cursor.and_then(|c| c.strip_prefix(LINK)) {
            // The link holds all parameters of its page.
            let path = link.to_owned();
            let params = Params::Object(Map::new());
            return Ok(Ask { kind: CallKind::Fetch, method: meta.method.clone(), path, params });
        }
        let ctx = Context {
            page: number - 1 + self.start,
            page_size: size,
            start_row: (number - 1) * size,
            last_id: cursor,
            ..Context::new(request.window.from.secs(), request.window.to.secs(), self.tz)
        };
        let mut rendered = self
            .request
            .render(&ctx, None)
            .map_err(|e| Failure::config(&e.code, e.message).at(format!("source.metadata.{}", e.path)))?;
        let path = if self.path.contains('{') {
            Request::fill_path(&self.path, &mut rendered)
                .map_err(|e| Failure::config(&e.code, e.message).at("source.metadata.api"))?
        } else {
            self.path.clone()
        };
        let mut params = rendered.request;
        for (k, v) in rendered.other {
            params.insert(k, v);
        }
        if self.paged {
            put(&mut params, self.fields.size.as_deref(), size);
            put(&mut params, self.fields.page.as_deref(), ctx.page);
            put(&mut params, self.fields.offset.as_deref(), ctx.start_row);
        }
        if let (PageAt::Anchor(at), Some(param)) = (&request.at, &self.anchor_param) {
            let first = if at.is_empty() { "0" } else { at };
            let value = Number::from_text(first).map_or_else(|| Value::from(first), Value::Number);
            params.insert(param.clone(), value);
            if let Some(page) = self.anchor_page {
                put(&mut params, self.fields.page.as_deref(), page);
            }
        }
        if let (Some(c), Some(param)) = (cursor, &self.fields.cursor) {
            params.insert(param.clone(), Value::from(c));
        }
        Ok(Ask { kind: CallKind::Fetch, method: meta.method.clone(), path, params: Params::Object(params) })
    }

    fn read(&self, reply: &Reply) -> Result<Page, Failure> {
        let form = &self.account.manifest.reply;
        let meta = self.request.metadata();
        let outline = reply.outline().map_err(|e| cut(&e.text().en))?;
        let found = records::find_records(outline, self.reading.list.as_ref(), &self.reading.lists, meta);
        let found = found.map_err(|e| {
            let place = match e {
                records::CutError::NoList(place) | records::CutError::NotJson(place) => place,
            };
            Failure::config(
                "HL-3012",
                text!("`{place}` of the reply holds no records", "响应的 `{place}` 处不是数据"),
            )
            .hint(text!(
                "name the list's place in otherResponse as `DataKey`",
                "请在 otherResponse 中用 `DataKey` 指明列表位置"
            ))
        })?;
        let mut page = Page { body: reply.body.clone(), ..Page::default() };
        let listed = found.as_ref().is_none_or(|f| f.listed);
        match found {
            Some(f) => page.elements = f.elements,
            None => page.warnings.push(text!(
                "the reply holds no list of records; if it has one, name its place in otherResponse as `DataKey`",
                "响应中没有数据列表;如果有,请在 otherResponse 中用 `DataKey` 指明位置"
            )),
        }
        if !listed {
            // The reply is one record: a total in it is a sum of money rather than a number of records.
            return Ok(page);
        }
        let number = |places: &[Path]| {
            places.iter().filter_map(|p| outline.text(p)).find_map(|s| s.trim().parse::<u64>().ok())
        };
        let header = form.total_header.as_deref().and_then(|h| reply.header(h));
        page.total = header.and_then(|v| v.trim().parse().ok()).or_else(|| number(&self.signs.total));
        page.pages = number(&self.signs.pages);
        page.size = number(&self.signs.size);
        page.has_next = self.signs.has_next.iter().filter_map(|p| outline.text(p)).find_map(|s| {
            match s.trim().to_ascii_lowercase().as_str() {
                "true" | "1" | "yes" => Some(true),
                "false" | "0" | "no" => Some(false),
                _ => None,
            }
        });
        if form.link_header
            && let Some(link) = reply.header("link")
        {
            let next = next_link(link);
            page.has_next = page.has_next.or(Some(next.is_some()));
            if self.fields.cursor.is_none() && self.shape.paging == Paging::Cursor {
                page.next = match next {
                    Some(url) => Some(format!("{LINK}{}", self.account.below_base(&url)?)),
                    None => None,
                };
            }
        }
        if self.fields.cursor.is_some() {
            page.next = self.signs.next.iter().find_map(|p| outline.text(p));
        }
        Ok(page)
    }
}

/// The target of `rel="next"` in a Link header (RFC 8288).
fn next_link(header: &str) -> Option<String> {
    let mut rest = header;
    while let Some((_, after)) = rest.split_once('<') {
        let (url, after) = after.split_once('>')?;
        // Parameters end where the next link begins.
        let end = after.find(",<").or_else(|| after.find(", <")).unwrap_or(after.len());
        let params = after.get(..end).unwrap_or("");
        let is_next = params.split(';').any(|p| {
            let Some((name, value)) = p.split_once('=') else { return false };
            name.trim().eq_ignore_ascii_case("rel")
                && value.trim().trim_matches('"').split_whitespace().any(|r| r.eq_ignore_ascii_case("next"))
        });
        if is_next {
            return Some(url.trim().to_owned());
        }
        rest = after.get(end..).unwrap_or("");
    }
    None
}

fn uses_any_page_variable(meta: &Metadata) -> bool {
    let names = ["PAGINATION_", "PAGE_NO", "PAGE_SIZE", "$pageNumber"];
    meta.request.iter().chain(&meta.other_request).any(|i| uses(i, &names))
}

/// Sets a page parameter, keeping text where the author wrote text.
fn put(params: &mut Map, field: Option<&str>, n: i64) {
    let Some(field) = field else { return };
    let value = match params.get(field) {
        Some(Value::String(_)) => Value::String(n.to_string()),
        _ => Value::from(n),
    };
    params.insert(field, value);
}

#[async_trait]
impl Source for HttpSource {
    fn shape(&self) -> &SourceShape {
        &self.shape
    }

    async fn fetch(&self, request: &PageRequest) -> Exchange<Page> {
        let ask = match self.ask(request) {
            Ok(ask) => ask,
            Err(f) => return Exchange { calls: Vec::new(), result: Err(f) },
        };
        let exchange = self.account.ask(&ask, &self.reading).await;
        let mut calls = exchange.calls;
        let result = exchange.result.and_then(|(reply, captured)| {
            let mut page = self.read(&reply)?;
            if captured.as_ptr() != reply.body.as_ptr() {
                // A secret was masked in the captured body; records are cut from what really came.
                page.body = reply.body.clone();
            }
            Ok(page)
        });
        if let Some(last) = calls.last_mut() {
            match &result {
                Ok(page) => last.rows = u32::try_from(page.elements.len()).unwrap_or(u32::MAX),
                Err(f) if last.failure.is_none() => last.failure = Some(f.clone()),
                Err(_) => {}
            }
        }
        Exchange { calls, result }
    }

    fn prepare(&self, request: &PageRequest) -> Result<Prepared, Failure> {
        self.account.preview(&self.ask(request)?)
    }
}

#[cfg(test)]
mod tests {
    use super::next_link;

    #[test]
    fn links_of_rfc_8288() {
        let find = |h: &str| next_link(h);
        assert_eq!(
            find(
                r#"<http://h/a?_page=1>; rel="first", <http://h/a?_page=2&x=1,2>; rel="next", <http://h/a?_page=9>; rel="last""#
            ),
            Some("http://h/a?_page=2&x=1,2".into())
        );
        assert_eq!(find("</a?after=7>; rel=next"), Some("/a?after=7".into()));
        assert_eq!(find(r#"<u>; title="x"; REL="prev next""#), Some("u".into()));
        assert_eq!(find(r#"<http://h/a>; rel="last""#), None);
        assert_eq!(find("nonsense"), None);
    }
}
