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
    cursor_param: Option<String>,
    start: i64,
}

/// Which parameters carry the page.
#[derive(Debug, Default)]
struct PageFields {
    page: Option<String>,
    size: Option<String>,
    offset: Option<String>,
}

fn paths(list: &[String]) -> Vec<Path> {
    list.iter().map(|p| Path::with_slashes(p)).collect()
}

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
        let mut fields = PageFields {
            page: pick(&paging.page, &["PAGINATION_START_PAGE", "PAGE_NO", "$pageNumber"]),
            size: pick(&paging.size, &["PAGINATION_PAGE_SIZE", "PAGE_SIZE"]),
            offset: pick(&paging.offset, &["PAGINATION_START_ROW"]),
        };
        let cursor_param = meta
            .raw
            .get_path("pagination.cursorField")
            .or_else(|| meta.raw.get_path("pagination.cursorParam"))
            .map(|v| v.in_text())
            .filter(|s| !s.is_empty());
        let has_fields = fields.page.is_some() || fields.offset.is_some();
        let style = match paging.style.as_str() {
            "page" => {
                // The platform pages by itself where the request says nothing.
                fields.page = fields.page.or_else(|| paging.page.first().cloned());
                fields.size = fields.size.or_else(|| paging.size.first().cloned());
                Paging::Numbered
            }
            "none" => Paging::Single,
            _ if cursor_param.is_some() => Paging::Cursor,
            _ if has_fields && (meta.paged || uses_any_page_variable(meta)) => Paging::Numbered,
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
            cursor_param,
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
        if self.shape.paging != Paging::Single {
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
        if let (Some(c), Some(param)) = (cursor, &self.cursor_param) {
            params.insert(param.clone(), Value::from(c));
        }
        Ok(Ask { kind: CallKind::Fetch, method: meta.method.clone(), path, params: Params::Object(params) })
    }

    fn read(&self, reply: &Reply) -> Result<Page, Failure> {
        let form = &self.account.manifest.reply;
        let body = &reply.body;
        let outline = reply.outline().map_err(|e| cut(&e.text().en))?;
        let wrong = |place: String| {
            Failure::config(
                "HL-3012",
                text!("`{place}` of the reply holds no records", "响应的 `{place}` 处不是数据"),
            )
        };
        let mut page = Page { body: body.clone(), ..Page::default() };
        let mut elements = None;
        for place in self.reading.list.iter().chain(&self.reading.lists) {
            elements = outline.list(place).map_err(wrong)?;
            if elements.is_some() {
                break;
            }
        }
        if elements.is_none() {
            elements = records::find_list(outline);
        }
        page.elements = match elements {
            Some(list) => list,
            None => {
                page.warnings.push(text!("the reply holds no list of records", "响应中没有数据列表"));
                Vec::new()
            }
        };
        let number = |places: &[String]| {
            paths(places).iter().filter_map(|p| outline.text(p)).find_map(|s| s.trim().parse::<u64>().ok())
        };
        page.total = form
            .total_header
            .as_deref()
            .and_then(|h| reply.header(h))
            .and_then(|v| v.trim().parse().ok())
            .or_else(|| number(&form.total));
        page.pages = number(&form.pages);
        page.size = number(&form.size);
        page.has_next = paths(&form.has_next).iter().filter_map(|p| outline.text(p)).find_map(|s| {
            match s.trim().to_ascii_lowercase().as_str() {
                "true" | "1" | "yes" => Some(true),
                "false" | "0" | "no" => Some(false),
                _ => None,
            }
        });
        if form.link_header
            && page.has_next.is_none()
            && let Some(link) = reply.header("link")
        {
            page.has_next = Some(link.contains("rel=\"next\"") || link.contains("rel=next"));
        }
        let meta = self.request.metadata();
        let own = meta.reply_key("pagekey").or_else(|| meta.reply_key("cursorkey"));
        page.next = own
            .and_then(|p| outline.text(&Path::with_slashes(p)))
            .or_else(|| paths(&form.next).iter().find_map(|p| outline.text(p)));
        Ok(page)
    }
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
