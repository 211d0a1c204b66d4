//! Value maps of the project at work: `maps/<id>.csv` or `.json`, read once for a plan.

use std::collections::HashMap;
use std::sync::Arc;

use heliu_import::ValueMap;
use heliu_model::{Problem, text};
use heliu_transform::{Lookup, Text, Value};

use crate::project::Project;

/// Lookups with the project's value maps beside them.
pub struct WithMaps {
    maps: HashMap<String, ValueMap>,
    records: Option<Arc<dyn Lookup>>,
}

/// A project's value maps, and what is wrong with them.
pub fn read(project: &Project) -> (HashMap<String, ValueMap>, Vec<Problem>) {
    let (mut maps, mut problems) = (HashMap::new(), Vec::new());
    for (name, file, bytes) in project.maps() {
        match bytes.map_err(|why| {
            vec![Problem::error("HL-1002", "", text!("the file cannot be read: {why}", "文件无法读取:{why}"))]
        }) {
            Ok(bytes) => match ValueMap::read(&bytes) {
                Ok(map) => {
                    maps.insert(name, map);
                }
                Err(list) => problems.extend(list.into_iter().map(|p| Problem { file: file.clone(), ..p })),
            },
            Err(list) => problems.extend(list.into_iter().map(|p| Problem { file: file.clone(), ..p })),
        }
    }
    (maps, problems)
}

/// Lookups for a plan: of records as they are given, of values in the project's maps.
pub fn lookups(project: &Project, records: Option<Arc<dyn Lookup>>) -> Option<Arc<dyn Lookup>> {
    let (maps, _) = read(project);
    if maps.is_empty() {
        return records;
    }
    Some(Arc::new(WithMaps { maps, records }))
}

fn no_records() -> Text {
    text!("no records of other plans are at hand", "没有可用的其他方案数据")
}

impl Lookup for WithMaps {
    fn find(&self, scheme: &str, field: &str, conditions: &[(String, Value)]) -> Result<Option<Value>, Text> {
        self.records.as_ref().ok_or_else(no_records)?.find(scheme, field, conditions)
    }

    fn mongo(&self, scheme: &str, field: &str, filter: &Value) -> Result<Option<Value>, Text> {
        self.records.as_ref().ok_or_else(no_records)?.mongo(scheme, field, filter)
    }

    fn knows(&self, scheme: &str) -> bool {
        self.records.as_ref().is_none_or(|r| r.knows(scheme))
    }

    fn exchange(&self, map: &str, value: &Value, reverse: bool) -> Result<Option<Value>, Text> {
        let Some(found) = self.maps.get(map) else {
            let map = map.to_owned();
            return Err(text!("there is no value map `{map}` in maps/", "maps/ 中没有映射表 `{map}`"));
        };
        Ok(found.find(&value.in_text(), reverse).map(Value::from))
    }
}
