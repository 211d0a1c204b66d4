//! How each field of a rendering came about: what it read, what its expression gave, what default, value map, parser
//! and type made of it (dialect §3.12). For people; a rendering without a trace pays one comparison per item.

use std::sync::{Mutex, PoisonError};

use crate::Value;
use crate::context::Scope;
use crate::items::Item;
use crate::mapping::RenderError;

/// A step of the order of evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// What the expression gave, or the rows that a container was built to.
    Value,
    /// The default stood in.
    Default,
    /// The static value map exchanged it.
    Mapping,
    /// The parser, or the chain of them.
    Parser,
    /// `itemMapping` made an object of each element.
    Each,
    /// The type's cast.
    Cast,
}

impl Stage {
    /// The word of machine-readable answers.
    pub fn word(self) -> &'static str {
        match self {
            Stage::Value => "value",
            Stage::Default => "default",
            Stage::Mapping => "mapping",
            Stage::Parser => "parser",
            Stage::Each => "itemMapping",
            Stage::Cast => "cast",
        }
    }
}

/// One field's way from the record to the request.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldSteps {
    /// Where it stands in the request, such as `details[0].sku_id`.
    pub field: String,
    /// JSON path of the item in the document.
    pub path: String,
    /// The value as it is written in the document.
    pub expression: Option<Value>,
    /// What the expression reads of the record: path and value, null where there is nothing.
    pub reads: Vec<(String, Value)>,
    /// The steps that applied, in order, each with its outcome.
    pub steps: Vec<(Stage, Value)>,
    /// What is sent; `None` when the field is left out.
    pub result: Option<Value>,
    /// Why it cannot be rendered.
    pub error: Option<RenderError>,
}

/// Gathers the steps of a rendering.
#[derive(Debug, Default)]
pub struct Trace(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    inside: Vec<String>,
    fields: Vec<FieldSteps>,
}

impl Trace {
    fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What was gathered.
    pub fn into_fields(self) -> Vec<FieldSteps> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner).fields
    }

    /// The fields that follow stand inside of a container's row.
    pub(crate) fn enter(&self, field: &str, row: Option<usize>) {
        let name = row.map_or_else(|| field.to_owned(), |n| format!("{field}[{n}]"));
        self.with(|s| s.inside.push(name));
    }

    /// The row ends.
    pub(crate) fn leave(&self) {
        self.with(|s| s.inside.pop());
    }

    /// One field is done, or failed.
    pub(crate) fn field(
        &self,
        item: &Item,
        scope: &Scope,
        steps: Vec<(Stage, Value)>,
        result: Result<Option<Value>, &RenderError>,
    ) {
        let mut reads: Vec<(String, Value)> = Vec::new();
        for path in item.expr.iter().flat_map(|e| e.paths()) {
            if !reads.iter().any(|(p, _)| p == path.as_str()) {
                reads.push((path.as_str().to_owned(), scope.resolve(path).unwrap_or(Value::Null)));
            }
        }
        let (result, error) = match result {
            Ok(v) => (v, None),
            Err(e) => (None, Some(e.clone())),
        };
        self.with(|s| {
            let mut field = s.inside.join(".");
            if !field.is_empty() {
                field.push('.');
            }
            field.push_str(&item.field);
            s.fields.push(FieldSteps {
                field,
                path: item.path.clone(),
                expression: item.value.clone(),
                reads,
                steps,
                result,
                error,
            });
        });
    }
}
