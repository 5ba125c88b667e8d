//! A conversation's whole life: resolve the model, build the body, find somebody who answers, pass the events on, settle.

pub(crate) mod charges;
mod exchange;
pub(crate) mod listing;
pub(crate) mod recall;
pub(crate) mod rounds;
mod usage;

use crate::account::{Account, AccountId, Roster};
use crate::catalog::{Catalog, Names, Resolved};
use crate::client_key::KeyOptions;
use crate::dispatch::{Dispatcher, Order};
use crate::flow::Flow;
use crate::media::{Media, Wishes};
use crate::settings::Settings;
use crate::tokens::Yardstick;
use crate::tokens::calibration::Calibration;
use crate::tokens::tokenizer::Tokenizer;
use crate::upstream::Caching;
use crate::upstream::answer::Patience;
use charges::Charges;
use exchange::Means;
use kiro_protocol::codec::{Inbound, Notice};
use kiro_protocol::conversation::Conversation;
use kiro_protocol::failure::Failure;
use kiro_protocol::kiro::request::{BuildContext, build};
use listing::Listing;
use recall::Recall;
use rounds::{Remembering, Rounds};
use std::sync::Arc;

/// Namespace of conversation ids that are derived from a client's session.
const SESSIONS: uuid::Uuid = uuid::uuid!("6f3f5a52-3c1b-4a39-9c6e-0d7a1f0e6b54");
/// A larger body is worth a notice; the service's own limit depends on model and host.
const BODY_NOTICE: usize = 2 * 1024 * 1024;

/// Everything a conversation needs.
pub(crate) struct Pipeline {
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) roster: Arc<Roster>,
    /// Lists of models that are being asked for.
    pub(crate) listing: Listing,
    pub(crate) media: Media,
    pub(crate) calibration: Arc<Calibration>,
    pub(crate) tokenizer: Arc<Tokenizer>,
    /// Who is told what answers cost.
    pub(crate) charges: Charges,
    pub(crate) recall: Arc<Recall>,
}

impl Pipeline {
    /// Prepares an answer to a person's own question; see [`Self::begin_with_key`].
    pub(crate) async fn begin(
        self: &Arc<Self>,
        inbound: Inbound,
        flow: Flow,
        settings: &Settings,
        options: &KeyOptions,
        only: Option<AccountId>,
    ) -> Result<Rounds, (Failure, Flow)> {
        self.begin_with_key("", inbound, flow, settings, options, only).await
    }

    /// Prepares an answer. The returned rounds have not asked anybody yet. `key`: the client key that the request came with,
    /// which its session belongs to.
    pub(crate) async fn begin_with_key(
        self: &Arc<Self>,
        key: &str,
        inbound: Inbound,
        flow: Flow,
        settings: &Settings,
        options: &KeyOptions,
        only: Option<AccountId>,
    ) -> Result<Rounds, (Failure, Flow)> {
        flow.asked(&inbound.conversation.model, inbound.delivery, &inbound.notices);
        self.first_list().await;
        let mut conversation = inbound.conversation;
        let names = Names::new(settings, options);
        let model = match self.catalog.resolve(&conversation.model, &names, &self.pool()) {
            Ok(model) => model,
            Err(failure) => return Err((failure, flow)),
        };
        flow.named(&model.trace);
        // Before anything is changed: what a client sends again and again must stay recognisable.
        let sticky = self.dispatcher.leases.sticky_key(key, &conversation);
        model.apply(&mut conversation);
        let prepared = self.media.prepare(conversation, wishes(&model, settings, false)).await;
        flow.notices(&prepared.notices);
        if let Some(failure) = prepared.refused {
            return Err((failure, flow));
        }
        let mut conversation = prepared.conversation;
        let mut notices = Vec::new();
        let remembering = inbound
            .forgets_signatures
            .then(|| Remembering { recall: Arc::clone(&self.recall), model: model.id.clone() });
        if inbound.forgets_signatures {
            let restored = self.recall.restore(&model.id, &mut conversation);
            if restored > 0 {
                let detail = format!("{restored} earlier turn(s) got the model's own reasoning back");
                notices.push(Notice::new("reasoning_restored", "messages", detail));
            }
        }
        let plan = rounds::prepare(&mut conversation, &settings.tools, &mut notices);
        flow.notices(&notices);
        let thread = thread(&conversation);
        let context = context(&model, &conversation, settings);
        let conversation = Arc::new(conversation);
        let built = {
            let (conversation, context) = (Arc::clone(&conversation), context.clone());
            crate::pipeline::heavy(weight(&conversation), move || build(&conversation, &context)).await
        };
        flow.resolved(&model.id, &built.notices);
        let order = Order {
            conversation,
            context,
            built,
            invocation: uuid::Uuid::new_v4().to_string(),
            retries: settings.limits.retries,
            retry_delay: settings.limits.retry_delay(),
            spare: settings.limits.attempts.saturating_sub(1),
            only,
            tags: options.account_tags.as_slice().into(),
            sticky,
            thread,
            tried: Vec::new(),
            attempts: 0,
            last: None,
            repairs: Vec::new(),
            lease: None,
        };
        let patience = Patience { first: settings.limits.first_event(), idle: settings.limits.idle() };
        let means = Means {
            dispatcher: Arc::clone(&self.dispatcher),
            patience,
            yardstick: self.yardstick(&model),
            till: self.charges.till(key),
        };
        Ok(Rounds::new(means, plan, order, flow, remembering))
    }

    /// An estimate of a conversation's input tokens.
    pub(crate) async fn count(
        self: &Arc<Self>,
        inbound: Inbound,
        settings: &Settings,
        options: &KeyOptions,
    ) -> Result<u64, Failure> {
        self.first_list().await;
        let mut conversation = inbound.conversation;
        let model = self.catalog.resolve(&conversation.model, &Names::new(settings, options), &self.pool())?;
        model.apply(&mut conversation);
        let mut conversation = self.media.prepare(conversation, wishes(&model, settings, true)).await.conversation;
        rounds::prepare(&mut conversation, &settings.tools, &mut Vec::new());
        let context = context(&model, &conversation, settings);
        let yardstick = self.yardstick(&model);
        // Counting costs several times what building does.
        let weight = 4 * weight(&conversation);
        Ok(heavy(weight, move || yardstick.count(&build(&conversation, &context))).await)
    }

    fn yardstick(&self, model: &Resolved) -> Yardstick {
        Yardstick::new(Arc::clone(&self.calibration), Arc::clone(&self.tokenizer), &model.id, model.window)
    }

    /// The accounts whose models count: real ones, or the demo account while there is no real one.
    pub(crate) fn pool(&self) -> Arc<Vec<Arc<Account>>> {
        self.roster.pool()
    }
}

/// How a conversation's body is built: the same for a request and for the count of its tokens.
fn context(model: &Resolved, conversation: &Conversation, settings: &Settings) -> BuildContext {
    let caching = if settings.models.prompt_caching { model.caching } else { Caching::default() };
    BuildContext {
        model_id: model.id.clone(),
        conversation_id: thread(conversation).to_string(),
        continuation_id: Some(uuid::Uuid::new_v4().to_string()),
        max_body_bytes: BODY_NOTICE,
        prompt_thinking: model.fields_schema.is_none(),
        fields_schema: model.fields_schema.clone(),
        images_allowed: model.images,
        documents_allowed: model.documents,
        cache_points: caching.points,
        cache_minimum: caching.minimum,
        cache_unmarked: true,
        ..BuildContext::default()
    }
}

/// What becomes of pictures and documents on the way to this model.
fn wishes(model: &Resolved, settings: &Settings, counting: bool) -> Wishes {
    Wishes { images: model.images, documents: model.documents, settings: settings.media.clone(), counting }
}

/// What the conversation's ids are made from: stable for a client's session, random without one.
fn thread(conversation: &Conversation) -> uuid::Uuid {
    match &conversation.session {
        Some(session) => uuid::Uuid::new_v5(&SESSIONS, session.as_bytes()),
        None => uuid::Uuid::new_v4(),
    }
}

/// Text larger than this is worked on where it does not hold up other requests.
pub(crate) const HEAVY: usize = 256 * 1024;

/// Runs work on the async thread when it is small, else on a thread made for waiting.
pub(crate) async fn heavy<T: Send + 'static>(weight: usize, work: impl FnOnce() -> T + Send + 'static) -> T {
    if weight <= HEAVY {
        return work();
    }
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Blocking work cannot be cancelled once it runs; before that, only a runtime that ends drops it.
            Err(_) => std::future::pending().await,
        },
    }
}

/// Roughly the bytes of text in a conversation; enough to tell small from large.
fn weight(conversation: &Conversation) -> usize {
    use kiro_protocol::conversation::Block;
    fn of(block: &Block) -> usize {
        match block {
            Block::Text { text, .. } | Block::Thinking { text, .. } => text.len(),
            Block::RedactedThinking { data } => data.len(),
            Block::Image(image) => image.data.len(),
            Block::RemoteImage { .. } | Block::Document(_) | Block::ToolUse { .. } => 256,
            Block::ToolResult { content, .. } => content.iter().map(of).sum(),
        }
    }
    let tools: usize = conversation.tools.len() * 1024;
    let said = conversation.messages.iter().flat_map(|message| &message.content);
    tools + said.chain(&conversation.system).map(of).sum::<usize>()
}

#[cfg(test)]
pub(crate) mod house;
#[cfg(test)]
mod tests;
