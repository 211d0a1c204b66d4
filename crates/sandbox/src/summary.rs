//! What is shown when a stand-in starts.

use heliu_transform::{Text, text};

use crate::server::Sandbox;

impl Sandbox {
    /// A connector file for this stand-in, ready to be saved as `connectors/<name>.toml`.
    pub fn connector_toml(&self) -> String {
        let url = self.base_url();
        if self.platform() == "bench" {
            return format!("platform = \"http\"\nbase_url = \"{url}\"\nauth     = \"none\"\n");
        }
        let mut out = format!(
            "platform = \"{}\"\nbase_url = \"{}\"\n\n[credentials]\n",
            self.platform(),
            self.connector_url()
        );
        let account = self.account();
        // Version 1's token would take the place of the application's.
        let shown = account.iter().filter(|(k, _)| !(self.platform() == "qeasy-open" && *k == "token"));
        let width = account.iter().map(|(k, _)| k.len()).max().unwrap_or(0);
        for (name, value) in shown {
            out.push_str(&format!("{name:width$} = \"{value}\"\n"));
        }
        out
    }

    /// The lines to show at the start: address, connector, calls to try.
    pub fn summary(&self) -> Vec<Text> {
        let (url, name) = (self.base_url(), self.platform());
        let mut lines = vec![
            text!("sandbox of `{name}` listens on {url}", "`{name}` 沙箱已启动：{url}"),
            text!("connector (save as connectors/{name}.toml):", "连接器（保存为 connectors/{name}.toml）："),
        ];
        lines.extend(self.connector_toml().lines().map(Text::same));
        lines.push(text!("calls to try:", "可尝试的调用："));
        let calls = if name == "bench" {
            vec![format!("curl '{url}/orders?page=1&page_size=100'")]
        } else {
            vec![
                format!("heliu test-connector {name}"),
                format!("curl {url}/_sandbox/log"),
                format!("curl {url}/_sandbox/truth"),
                format!("curl -d '{{\"list\":\"502@1,cut:0.05\"}}' {url}/_sandbox/faults"),
                format!("curl -X POST {url}/_sandbox/expire-token"),
            ]
        };
        lines.extend(calls.into_iter().map(|c| Text::same(format!("  {c}"))));
        lines
    }
}
