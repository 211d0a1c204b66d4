//! The commands.

mod budgets;
pub mod calls;
pub mod check;
pub mod connector;
pub mod explain;
pub mod expr;
mod fields;
pub mod import;
pub mod init;
mod learned;
pub mod platforms;
pub mod preview;
pub mod records;
pub mod run;
pub mod sandbox;
mod sheets;
pub mod state;
pub mod trace;

use heliu_model::text;

use crate::wire::App;

/// Says where plans were looked for when there is none.
fn no_plans(app: &App) {
    let dir = app.project.dir.join("plans");
    let dir = dir.display().to_string();
    app.out.hint(&text!(
        "there is no plan in `{dir}`; `heliu init DIR` makes a project, `--project DIR` names one",
        "`{dir}` 中没有方案;`heliu init 目录` 新建项目,`--project 目录` 指定项目"
    ));
}
