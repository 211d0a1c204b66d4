//! The stand-ins there are.

/// One stand-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Its name on the command line.
    pub name: &'static str,
    /// Other names for it.
    pub aliases: &'static [&'static str],
    /// What it is, in English.
    pub en: &'static str,
    /// 说明。
    pub zh: &'static str,
}

pub(crate) const KNOWN: &[Known] = &[
    Known {
        name: "jushuitan",
        aliases: &["聚水潭"],
        en: "聚水潭 open API v2: signed calls, tokens, limits, shops, outbound orders, stock, uploads",
        zh: "聚水潭开放平台 v2：签名、令牌、限流、店铺、销售出库、库存、订单上传",
    },
    Known {
        name: "bench",
        aliases: &[],
        en: "a plain paged JSON source for measurements: GET /orders?page=&page_size=",
        zh: "性能测试用的分页 JSON 数据源：GET /orders?page=&page_size=",
    },
];

/// The stand-in of a name or alias.
pub(crate) fn find(name: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|k| k.name == name || k.aliases.contains(&name))
}
