//! Rendering from a record's raw JSON: only the members that the items name are read.

use crate::context::{Context, Scope};
use crate::expr::Kind;
use crate::extract::{self, Extractor};
use crate::mapping::{RenderError, evaluate, finish};
use crate::metadata::{Item, Type};
use crate::path::Path;
use crate::{Text, Value, text};

/// How the raw members become the row.
#[derive(Debug, Clone)]
pub(crate) struct RawPlan {
    /// Values of the slots first, then the record's members for everything else.
    extractor: Extractor,
    slots: usize,
    columns: Vec<Column>,
}

/// Where the value of one item comes from.
#[derive(Debug, Clone)]
enum Column {
    Const(Value),
    /// One path of the record; the flag says that no later item reads the same slot.
    Slot(usize, bool),
    /// Whatever the item says, over the members that it names.
    Whole,
}

impl RawPlan {
    /// Plans the rendering of `items` as values of an object.
    pub fn of(items: &[Item]) -> RawPlan {
        RawPlan::new(items, false)
    }

    /// Plans the rendering of `items` as columns: what is sent as it was read needs no building, lists and objects
    /// are sent as JSON text.
    pub fn row_of(items: &[Item]) -> RawPlan {
        RawPlan::new(items, true)
    }

    fn new(items: &[Item], columns_are_text: bool) -> RawPlan {
        let mut paths: Vec<Path> = Vec::new();
        let mut columns: Vec<Column> = items.iter().map(|item| column(item, &mut paths)).collect();
        let slots = paths.len();
        let mut seen = vec![false; slots];
        for c in columns.iter_mut().rev() {
            if let Column::Slot(n, last) = c
                && let Some(s) = seen.get_mut(*n)
            {
                *last = !*s;
                *s = true;
            }
        }
        let mut texts = vec![columns_are_text; slots];
        for (item, c) in items.iter().zip(&columns) {
            if let Column::Slot(n, _) = c
                && let Some(t) = texts.get_mut(*n)
            {
                let piped =
                    matches!(item.expr.as_ref().map(|e| &e.0), Some(Kind::Whole(r)) if !r.pipes.is_empty());
                *t &= item.is_plain() && !piped;
            }
        }
        let general = items.iter().zip(&columns).filter(|(_, c)| matches!(c, Column::Whole)).map(|(i, _)| i);
        let mut roots = Vec::new();
        general.for_each(|i| members(i, &mut roots));
        paths.append(&mut roots);
        RawPlan { extractor: Extractor::new(paths).texts(&texts), slots, columns }
    }

    /// The members of a record that `items` can read, as a record.
    pub fn members(items: &[Item]) -> Extractor {
        let mut roots = Vec::new();
        items.iter().for_each(|i| members(i, &mut roots));
        Extractor::new(roots)
    }

    /// Renders the values, one per item, null where there is none.
    pub fn render(
        &self,
        items: &[Item],
        ctx: &Context,
        raw: &[u8],
        out: &mut Vec<Value>,
        warnings: &mut Vec<Text>,
    ) -> Result<(), RenderError> {
        let mut found = Vec::with_capacity(self.extractor.paths().len());
        self.extractor.extract(raw, &mut found).map_err(|e| unreadable(e.text()))?;
        if raw.trim_ascii_start().first() != Some(&b'{') {
            return Err(unreadable(text!("the record is no JSON object", "该数据不是 JSON 对象")));
        }
        let cut = self.slots.min(found.len());
        let (slots, rest) = found.split_at_mut(cut);
        let record = extract::partial(self.extractor.paths().get(self.slots..).unwrap_or(&[]), rest);
        let nothing = Scope::new(None);
        for (item, column) in items.iter().zip(&self.columns) {
            let v = match column {
                Column::Const(v) => finish(item, v.clone(), ctx, &nothing, warnings)?,
                Column::Slot(n, last) => {
                    let slot = slots.get_mut(*n);
                    let v = if *last { slot.and_then(Option::take) } else { slot.and_then(|s| s.clone()) };
                    let v = match item.expr.as_ref().map(|e| &e.0) {
                        Some(Kind::Whole(r)) => r.pipe(v, ctx, warnings),
                        _ => v.unwrap_or(Value::Null),
                    };
                    if item.is_plain() {
                        out.push(v);
                        continue;
                    }
                    finish(item, v, ctx, &nothing, warnings)?
                }
                Column::Whole => evaluate(item, ctx, &Scope::new(Some(&record)), "", warnings)?,
            };
            out.push(v.unwrap_or(Value::Null));
        }
        Ok(())
    }
}

/// A record whose content is not JSON.
pub(crate) fn unreadable(message: Text) -> RenderError {
    RenderError { code: "HL-2210".into(), path: String::new(), field: String::new(), message, position: None }
}

fn column(item: &Item, slots: &mut Vec<Path>) -> Column {
    let simple = item.children.is_empty()
        && item.each.is_none()
        && item.ty != Type::Array
        && item.default.as_ref().is_none_or(crate::Expr::is_const);
    match item.expr.as_ref().map(|e| &e.0) {
        None if simple => Column::Const(Value::Null),
        Some(Kind::Const(v)) if simple => Column::Const(v.clone()),
        // A built-in that no field can hide is cheap as it is.
        Some(Kind::Whole(r)) if simple && !matches!(r.builtin, Some((_, false))) => {
            let at = slots.iter().position(|p| *p == r.path).unwrap_or_else(|| {
                slots.push(r.path.clone());
                slots.len() - 1
            });
            Column::Slot(at, false)
        }
        _ => Column::Whole,
    }
}

/// Adds the record's members that an item may read: first segments, and whole names with dots.
fn members(item: &Item, out: &mut Vec<Path>) {
    let mut add = |p: &Path| {
        for name in [p.segs().first().map_or("", String::as_str), p.as_str()] {
            if !out.iter().any(|k| k.as_str() == name) {
                out.push(Path::key(name));
            }
        }
    };
    for e in item.expr.iter().chain(&item.default).chain(&item.each) {
        e.paths().into_iter().for_each(&mut add);
    }
    if let Some(name) = &item.source {
        add(name);
    }
    item.children.iter().for_each(|c| members(c, out));
}
