//! What is known about interfaces without calling them: for the importer and for checks of documents.

use heliu_model::ConnectorSpec;
use heliu_transform::Metadata;

use crate::http::columns;
use crate::registry::Registry;

/// An interface of a platform's catalogue.
#[derive(Debug, Clone, Default)]
pub struct ApiFacts {
    /// Platform.
    pub platform: String,
    /// Path.
    pub path: String,
    /// Other names, method names among them.
    pub names: Vec<String>,
    /// Unique field of its elements.
    pub id: Option<String>,
    /// Rows of a page at most.
    pub max_page_size: Option<u32>,
    /// Days of a window at most.
    pub max_window_days: Option<u32>,
    /// Names of the page size parameter.
    pub size_fields: Vec<String>,
    /// Fields of its elements, dotted; empty when nobody wrote them down.
    pub fields: Vec<String>,
}

impl Registry {
    /// Every interface of every catalogue.
    pub fn interfaces(&self) -> Vec<ApiFacts> {
        let mut out = Vec::new();
        for manifest in self.manifests() {
            for api in &manifest.form.apis {
                let mut names = api.aliases.clone();
                let prefix = manifest.method_prefix();
                if !prefix.is_empty()
                    && let Some(rest) = api.path.strip_prefix(prefix)
                {
                    names.push(rest.replace('/', "."));
                }
                out.push(ApiFacts {
                    platform: manifest.name().to_owned(),
                    path: api.path.clone(),
                    names,
                    id: api.id.clone(),
                    max_page_size: api.max_page_size,
                    max_window_days: api.max_window_days,
                    size_fields: manifest.form.paging.size.clone(),
                    fields: api.fields.iter().map(|f| f.name.clone()).collect(),
                });
            }
        }
        out
    }

    /// What the catalogue says about an interface as a document names it.
    pub fn facts(&self, spec: &ConnectorSpec, api: &str) -> Option<ApiFacts> {
        let manifest = self.manifest(&spec.platform)?;
        let path = manifest.api(api).1?.path.clone();
        self.interfaces().into_iter().find(|i| i.platform == manifest.name() && i.path == path)
    }

    /// Names of a record's fields where the request asks for columns and the reply brings bare lists.
    pub fn column_names(&self, spec: &ConnectorSpec, meta: &Metadata) -> Option<Vec<String>> {
        let manifest = self.manifest(&spec.platform)?;
        let (_, api) = manifest.api(&meta.api);
        Some(columns(meta, api?.columns.as_ref()?).0)
    }
}
