//! A panel: the host that shows tray icons, reads their menus and clicks in them, as `org.kde.StatusNotifierWatcher`.

use crate::PATIENCE;
use crate::bus::{SINGLE_INSTANCE, name_is_free};
use anyhow::{Context as _, Result};
use futures_util::StreamExt as _;
use std::collections::HashMap;
use std::path::Path;
use tokio::sync::watch;
use zbus::message::{Header, Type};
use zbus::object_server::SignalEmitter;
use zbus::zvariant::{OwnedObjectPath, OwnedValue, Value};
use zbus::{Connection, MatchRule, MessageStream, connection, interface, proxy};

type Items = Vec<(String, String)>;

struct Watcher {
    items: watch::Sender<Items>,
}

#[interface(name = "org.kde.StatusNotifierWatcher")]
impl Watcher {
    async fn register_status_notifier_item(
        &mut self,
        service: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(signal_emitter)] emitter: SignalEmitter<'_>,
    ) {
        let sender = header.sender().map(ToString::to_string).unwrap_or_default();
        // Some libraries hand over an object path, others a bus name.
        let item = if service.starts_with('/') {
            (sender, service.to_owned())
        } else {
            (service.to_owned(), "/StatusNotifierItem".to_owned())
        };
        let _ = Self::status_notifier_item_registered(&emitter, &format!("{}{}", item.0, item.1)).await;
        self.items.send_modify(|items| items.push(item));
    }

    fn register_status_notifier_host(&self, _service: &str) {}

    #[zbus(property)]
    fn registered_status_notifier_items(&self) -> Vec<String> {
        self.items.borrow().iter().map(|(bus, path)| format!("{bus}{path}")).collect()
    }

    #[zbus(property)]
    fn is_status_notifier_host_registered(&self) -> bool {
        true
    }

    #[zbus(property)]
    fn protocol_version(&self) -> i32 {
        0
    }

    #[zbus(signal)]
    async fn status_notifier_item_registered(emitter: &SignalEmitter<'_>, service: &str) -> zbus::Result<()>;

    #[zbus(signal)]
    async fn status_notifier_host_registered(emitter: &SignalEmitter<'_>) -> zbus::Result<()>;
}

#[proxy(interface = "org.kde.StatusNotifierItem", assume_defaults = false)]
trait Item {
    #[zbus(property(emits_changed_signal = "false"))]
    fn icon_name(&self) -> zbus::Result<String>;
    #[zbus(property(emits_changed_signal = "false"))]
    fn icon_theme_path(&self) -> zbus::Result<String>;
    #[zbus(property(emits_changed_signal = "false"))]
    fn menu(&self) -> zbus::Result<OwnedObjectPath>;
}

type Node = (i32, HashMap<String, OwnedValue>, Vec<OwnedValue>);

#[proxy(interface = "com.canonical.dbusmenu", assume_defaults = false)]
trait Menu {
    fn get_layout(&self, parent: i32, depth: i32, properties: &[&str]) -> zbus::Result<(u32, Node)>;
    fn event(&self, id: i32, event: &str, data: &Value<'_>, timestamp: u32) -> zbus::Result<()>;
}

/// One line of the menu, or of a menu inside it.
#[derive(Debug, Clone)]
pub struct Entry {
    id: i32,
    /// The line whose own menu this line is in.
    pub parent: Option<String>,
    /// Without mnemonics.
    pub label: String,
    /// Whether it can be clicked.
    pub enabled: bool,
    /// `None` without a check mark.
    pub checked: Option<bool>,
}

/// The panel.
pub struct TrayHost {
    bus: Connection,
    items: watch::Receiver<Items>,
}

impl TrayHost {
    /// Begins to offer a tray. To be called before the app starts.
    pub async fn start() -> Result<Self> {
        // A test that failed may have left an app that is about to end.
        name_is_free(SINGLE_INSTANCE).await?;
        let (sender, items) = watch::channel(Vec::new());
        let bus = connection::Builder::session()?
            .name("org.kde.StatusNotifierWatcher")?
            .serve_at("/StatusNotifierWatcher", Watcher { items: sender })?
            .build()
            .await?;
        Ok(Self { bus, items })
    }

    async fn item(&mut self) -> Result<ItemProxy<'static>> {
        let registered = tokio::time::timeout(PATIENCE, self.items.wait_for(|items| !items.is_empty()));
        let (bus, path) = registered.await.context("no tray icon appears")??.last().cloned().unwrap_or_default();
        Ok(ItemProxy::builder(&self.bus).destination(bus)?.path(path)?.build().await?)
    }

    async fn menu(&mut self) -> Result<MenuProxy<'static>> {
        let item = self.item().await?;
        let path = item.menu().await?;
        let bus = item.inner().destination().to_owned();
        Ok(MenuProxy::builder(&self.bus).destination(bus)?.path(path)?.build().await?)
    }

    /// The lines of the menu and of the menus inside it, without separators, from the top.
    pub async fn entries(&mut self) -> Result<Vec<Entry>> {
        let (_, root) = self.menu().await?.get_layout(0, -1, &[]).await?;
        let mut entries = Vec::new();
        collect(root.2, None, &mut entries)?;
        Ok(entries)
    }

    /// Waits until an entry is as wanted; wakes up whenever the menu says that it has changed.
    pub async fn wait_for(&mut self, what: &str, wanted: impl Fn(&Entry) -> bool) -> Result<Entry> {
        let rule = MatchRule::builder().msg_type(Type::Signal).interface("com.canonical.dbusmenu")?.build();
        let mut changes = MessageStream::for_match_rule(rule, &self.bus, Some(256)).await?;
        let mut last = Vec::new();
        let found = async {
            loop {
                last = self.entries().await?;
                if let Some(entry) = last.iter().find(|entry| wanted(entry)) {
                    return anyhow::Ok(entry.clone());
                }
                changes.next().await;
            }
        };
        match tokio::time::timeout(PATIENCE, found).await {
            Ok(found) => found,
            Err(_) => anyhow::bail!("the menu never has: {what}. It has {last:#?}"),
        }
    }

    /// Clicks on the entry with this label.
    pub async fn click(&mut self, label: &str) -> Result<()> {
        let entry = self.wait_for(label, |entry| entry.label == label && entry.enabled).await?;
        self.click_on(&entry).await
    }

    /// Clicks on this entry, whatever its label has become.
    pub async fn click_on(&mut self, entry: &Entry) -> Result<()> {
        Ok(self.menu().await?.event(entry.id, "clicked", &Value::from(0i32), 0).await?)
    }

    /// Waits until the icon shows the picture of a state, such as `off`.
    pub async fn wait_for_icon(&mut self, state: &str) -> Result<()> {
        let wanted =
            pixels(&Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../../icons/tray/{state}-64.png")))?;
        let rule = MatchRule::builder().msg_type(Type::Signal).interface("org.kde.StatusNotifierItem")?.build();
        let mut changes = MessageStream::for_match_rule(rule, &self.bus, Some(256)).await?;
        let item = self.item().await?;
        let shown = async {
            loop {
                let name = item.icon_name().await?;
                let path = Path::new(&item.icon_theme_path().await?).join(format!("{name}.png"));
                let path = if Path::new(&name).is_absolute() { name.into() } else { path };
                if pixels(&path).is_ok_and(|shown| shown == wanted) {
                    return anyhow::Ok(());
                }
                changes.next().await;
            }
        };
        tokio::time::timeout(PATIENCE, shown).await.with_context(|| format!("the icon never shows {state}"))?
    }
}

fn collect(children: Vec<OwnedValue>, parent: Option<&str>, entries: &mut Vec<Entry>) -> Result<()> {
    for child in children {
        let (id, properties, inside): Node = child.try_into()?;
        let text = |name: &str| properties.get(name).and_then(|value| value.downcast_ref::<String>().ok());
        let Some(label) = text("label").map(|label| label.replace('_', "")) else { continue };
        let enabled = properties.get("enabled").and_then(|value| value.downcast_ref::<bool>().ok()).unwrap_or(true);
        let on = properties.get("toggle-state").and_then(|value| value.downcast_ref::<i32>().ok()) == Some(1);
        let checked = text("toggle-type").map(|_| on);
        entries.push(Entry { id, parent: parent.map(str::to_owned), label: label.clone(), enabled, checked });
        collect(inside, Some(&label), entries)?;
    }
    Ok(())
}

fn pixels(file: &Path) -> Result<Vec<u8>> {
    let mut reader = png::Decoder::new(std::io::BufReader::new(std::fs::File::open(file)?)).read_info()?;
    let mut pixels = vec![0; reader.output_buffer_size().context("a picture of this size")?];
    let frame = reader.next_frame(&mut pixels)?;
    pixels.truncate(frame.buffer_size());
    Ok(pixels)
}
