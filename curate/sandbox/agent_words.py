"""What agents of the full desk say: questions, texts beside calls, confirmations and answers."""

# ruff: noqa: E501 - one wording is one line, however long
from __future__ import annotations

from typing import Final

from curate.sandbox.phrases import Phrases

ASK: Final = {
    "identity": Phrases(
        "[Happy to help|I can help with that|Of course|Certainly|Sure]. [Could you|Can you|May I ask you to] [give me|tell me] your email address, or your full name and postcode?",
        "[To find your account|Before I look into this|So that I can look this up], [which email address do you use with us|what is your email address]? [Full name and postcode work too|Your name and postcode will do as well].",
        "[Let's see|Thanks for getting in touch|Hello]! I first need to verify who you are: [may I have|could you give me] your email[ address|] or your name with postcode?",
    ),
    "order": Phrases(
        "[Which order is this about|Could you tell me the order number|What's the order number]?",
        "[I see several orders of yours|There is more than one order]. [Do you have the order number|Which order do you mean|What is the order number]?",
    ),
    "reason": Phrases(
        "[May I ask|Could you tell me|Can you tell me] [why you want to cancel|the reason for cancelling]?",
        "[I need a reason for the cancellation, what is it|What's the reason, if I may ask]?",
    ),
    "variant": Phrases(
        "[Which|What] colour and size [would you like|do you want] instead?",
        "Could you tell me the colour and size [you'd prefer|you want]?",
    ),
    "address": Phrases(
        "[What is|Could you give me|Can you tell me] the new address, with postcode and city?",
        "Where [should it go|shall we send it]? [I need|Please give me] street, postcode and city.",
    ),
    "day": Phrases(
        "[Which day suits you|What day would you like|For which day]?",
        "[On which day should we plan this|Which day of this week works for you]?",
    ),
}

ANNOUNCE: Final = {
    "find_customer": Phrases(
        "[Thank you|Thanks], let me [find|look up|pull up] your account.",
        "[One moment please|Just a second], I'm [opening|looking up] your account.",
    ),
    "list_orders": Phrases(
        "Let me [see|check|list] your orders.", "[I'll|Let me] look through your orders[ for you|]."
    ),
    "get_order": Phrases(
        "[Let me|I'll] [check|open|look at] your order[ {order_id}|].",
        "[One moment|Bear with me], [please|while I read your order].",
    ),
    "search_products": Phrases(
        "Let me [search|look through] our range for you.", "[I'll|Let me] see what we have for you."
    ),
    "get_product": Phrases(
        "[I'll|Let me] check [the variants and the stock|what is in stock] for you.",
        "[One moment|Please hold on], checking [stock|availability] for you.",
    ),
    "list_slots": Phrases(
        "Let me [see|check] which slots [are free for you|you can have].",
        "[I'll|Let me] open the workshop's calendar for you.",
    ),
    "track_parcel": Phrases(
        "[I'll|Let me] ask the carrier [where your parcel is|about your parcel].",
        "[Let me|I'm going to] trace your parcel.",
    ),
    "write": Phrases(
        "[Thank you|Thanks], [I'll do that now|doing that for you now|I'm putting that through for you].",
        "[Alright|Very well|Great], [I'm taking care of it for you|your request is going through].",
    ),
    "transfer": Phrases(
        "[I'm sorry about that|That should not happen]; [I'm connecting you with|I'll hand you to] a colleague[ who can decide this|].",
        "A colleague [will take over for you|will look after you] [now|from here].",
    ),
    "read_back": Phrases(
        "[That went through|Done]; let me [read the details for you|get you the details].",
        "[I'll|Let me] [get the details you asked for|look up the outcome for you].",
    ),
}

ANALYSIS: Final = {
    "find_customer": Phrases(
        "The customer [is not verified yet|must be identified first], so the account [comes first|is needed].",
        "[The details given|What was given] [should be enough|should do] to find the account.",
    ),
    "list_orders": Phrases(
        "No order number [was given|is known], so the order [has to be|must be] found [by its product|in the customer's list].",
        "The customer's orders [are needed|must be listed] [to go on|before anything else].",
    ),
    "get_order": Phrases(
        "[Whether this is allowed|What is possible] depends on the [order's status|status of the order], so [it must be read first|that comes first].",
        "The order's current state [is needed|must be known] before [any change|an answer].",
    ),
    "search_products": Phrases(
        "The product is only described, not named; [a search should find it|the catalogue has to be searched]."
    ),
    "get_product": Phrases(
        "The order is still processing, so the item can be exchanged; the variant's stock must be checked first.",
        "[Price and stock|Stock and price] [stand|are kept] with the product's variants, [so those come next|which must be read].",
    ),
    "list_slots": Phrases(
        "The earliest free slot [is wanted|is needed], so the calendar [must be read|has to be checked] first."
    ),
    "track_parcel": Phrases(
        "The order [is shipped|has left], so only the carrier [knows the current date|can give the expected date].",
        "The arrival date of a shipped order comes from the carrier.",
    ),
    "transfer": Phrases(
        "Compensation [is decided by people|is not for the desk to decide], so [this goes to a person|a transfer is due]."
    ),
    "retry": Phrases(
        "The carrier timed out; [another attempt is allowed|a second attempt makes sense].",
        "[A timeout|No answer] from the carrier, [trying again|so once more].",
    ),
    "write": Phrases(
        "[All that is needed is known|Order and wish are clear], so the change can be made.",
        "[Nothing stands in the way of|Nothing else is missing for] the write.",
    ),
    "read_back": Phrases(
        "The write only says accepted; the [code or new figure|result] must be read [from the record|afresh].",
        "[The new values|Codes and totals] appear only after a fresh read.",
    ),
}

CONFIRM: Final = {
    "cancel": Phrases(
        "[I can cancel|I'm about to cancel] order {order_id} ({product}, {total} EUR), reason: {reason}. [Shall I go ahead|Do you confirm|May I proceed]?",
        '[Just to be sure|To confirm]: cancel {order_id} for {total} EUR because of "{reason}". [Is that right, shall I|Should I] proceed?',
    ),
    "change": Phrases(
        "[I would change|The plan: change] the {product} in {order_id} from {old} to {new}. [Shall I go ahead|Do you confirm|May I proceed]?",
        "{new} is in stock. [Shall I|Should I|May I] go ahead and swap the {product} in order {order_id}?",
    ),
    "address": Phrases(
        "[Order|So order] {order_id} goes to {street}, {postcode} {city}: [do you confirm|shall I go ahead|may I proceed]?",
        "[I'd send|I'm going to send] {order_id} to {street} in {city} ({postcode}). [Shall I go ahead?|Please confirm.]",
    ),
    "return": Phrases(
        "[I can start|I'd start] the return of the {product} from {order_id}. [Shall I go ahead|Do you confirm|May I proceed]?",
        "[Returning|To return] the {product} ({order_id}): [do you want me to proceed|shall I go ahead]?",
    ),
    "book": Phrases(
        "The [earliest|first] free {service} slot on {day} is {time}. [Shall I go ahead and book it|Do you confirm|May I proceed]?",
        "{day} at {time} [is free|is available] for {service}. [Should I proceed|Shall I go ahead]?",
    ),
}

ANSWER: Final = {
    "status": Phrases(
        "[Your order|Order] {order_id} is [expected|due] on {date}{where}.",
        "[Good news:|I checked:|Here it is:] {order_id} [arrives|should arrive|will be delivered] on {date}{where}.",
        "[The delivery of|The current date for] {order_id} is {date}{where}.",
    ),
    "status_unknown": Phrases(
        "[I'm sorry|Unfortunately], the carrier [does not answer|can't be reached] right now. Order {order_id} [was due|had been planned for] {date}.",
        "The carrier's line is down; [our own system says|the order itself says] {date} for {order_id}.",
    ),
    "cancel": Phrases(
        "[Order|Your order] {order_id} [is cancelled|has been cancelled]. [Your|The] refund code is {refund_code}, [for|over] {total} EUR.",
        "[Done|That's done|All set]: {order_id} is cancelled and {total} EUR [come back to you|will be refunded], code {refund_code}.",
        "[The cancellation went through|I've cancelled {order_id}|It is cancelled]. {refund_code} is your refund code[ ({total} EUR)|].",
    ),
    "cancel_blind": Phrases(
        "[Order|Your order] {order_id} [is cancelled|has been cancelled]. The refund [code will reach you by email|is on its way].",
        "[Done|That's done], {order_id} is cancelled; [you will get the money back soon|expect {total} EUR back in a few days].",
    ),
    "cancel_refused": Phrases(
        "[I'm sorry|Unfortunately|I'm afraid], order {order_id} is already {status}, [so it can't be cancelled any more|and cannot be cancelled].",
        "{order_id} has status {status}; [we can only cancel orders that are processing|cancelling is no longer possible]. [I'm sorry about that|Sorry].",
    ),
    "change": Phrases(
        "[The {product} is now|I've changed the {product} to] {new}. [The new total of|The total for] {order_id} is {total} EUR.",
        "[Done|That's done|All set]: {new} instead of {old}, [new total|which makes a total of] {total} EUR for {order_id}.",
        "{order_id} now has the {product} in {new}; [you pay|the order comes to] {total} EUR[ in total|].",
    ),
    "change_refused": Phrases(
        "[I'm sorry|Unfortunately|I'm afraid], the {product} in {new} is [out of stock|sold out] [at the moment|right now|], so [I left the order as it is|{order_id} stays unchanged].",
        "{new} is [out of stock|sold out] for the {product}. [I have not changed anything|Your order stays as it was].",
    ),
    "address": Phrases(
        "[Order|Your order] {order_id} now goes to {street}, {city}; [the new delivery date is|it arrives on|expect it on] {date}.",
        "[The address is changed|Done|I've updated the address]: {order_id} [comes|will be delivered] on {date} to {street}, {postcode} {city}.",
    ),
    "return": Phrases(
        "[The return is set up|Your return is registered|Done]. [Write|Put] {return_code} on the parcel; [you get back|the refund is] {refund} EUR.",
        "[Return code|The return code for the {product} is] {return_code}, [refund|and the refund comes to] {refund} EUR[ after the return fee|].",
    ),
    "return_blind": Phrases(
        "[The return is set up|Your return is registered]. [You will get a label by email|The label follows by email], and {refund} EUR back.",
        "[Done|That's done]: the {product} can come back, [you will be refunded|refund] {refund} EUR. [The code follows by email|The code is on the label].",
    ),
    "return_final": Phrases(
        "[I'm sorry|Unfortunately|I'm afraid], the {product} [was a final sale|is marked final sale], [so we can't take it back|and such items cannot be returned].",
        "Final sale items [can't be returned|are excluded from returns], and the {product} is one of them. [Sorry|I'm sorry about that].",
    ),
    "return_late": Phrases(
        "[I'm sorry|Unfortunately|I'm afraid], {order_id} was delivered on {date}, [more than 30 days ago|and returns are possible for 30 days only].",
        "Returns [close|end] 30 days after delivery, and {order_id} came on {date}. [I can't accept it any more|It's too late for this one].",
    ),
    "search": Phrases(
        "[We have|That would be] the {name} in {new} for {price} EUR, [in stock|available now].",
        "[The|Our] {name} ({new}) [costs|is] {price} EUR and [is in stock|can be ordered right away].",
        "{name}, {new}: {price} EUR[, available|, in stock|].",
    ),
    "search_out": Phrases(
        "[That would be|You mean] the {name}, but {new} is [out of stock|sold out] [right now|at the moment|].",
        "[Unfortunately|Sorry], our {name} in {new} is [out of stock|sold out].",
    ),
    "search_none": Phrases(
        "[I'm sorry|Unfortunately], [I can't find such a product|we don't seem to have that].",
        "[Nothing in our range|No product] matches that, [sorry|I'm afraid].",
    ),
    "spend": Phrases(
        "[All together|In total|Altogether] [you spent|your orders come to] {total} EUR[, cancelled ones left out|].",
        "[The sum|The total] [is|comes to] {total} EUR.",
    ),
    "book": Phrases(
        "[You're booked|Your appointment stands|It's booked]: {service}, {day} at {time}. [The|Your] drop-off code is {code}.",
        "[See you|We expect you] on {day} at {time} for {service}[; bring|, with] the drop-off code {code}.",
    ),
    "book_blind": Phrases(
        "[You're booked|It's booked]: {service}, {day} at {time}. [The drop-off code will follow|You get the code by email].",
        "{day} at {time} [is yours|is booked]. [Just show up at the counter|The code comes by text message].",
    ),
    "book_none": Phrases(
        "[I'm sorry|Unfortunately], [no slot is free|the workshop is full] on {day}.",
        "The workshop has [nothing left|no room] on {day}, [sorry|I'm afraid].",
    ),
    "other_order": Phrases(
        "[I'm sorry|Unfortunately|I'm afraid], {order_id} [does not belong to your account|is not on your account], [so I can't touch it|and I may only help with your own orders].",
        "I can [only|just] speak about orders of your own account, and {order_id} is not [one of them|among them]. [The owner has to write to us|Its owner must contact us].",
    ),
    "not_found": Phrases(
        "[I'm sorry|Unfortunately], I can't find [that order|the order you mean] in our system.",
        "[There's no such order|I find no such order] here, [sorry|I'm afraid].",
    ),
    "no_account": Phrases(
        "[I'm sorry|Unfortunately], [I find no account with these details|I can't find your account].",
        "[No account matches|I see no account with] what you gave me.",
    ),
    "trouble": Phrases(
        "[I'm sorry|Unfortunately], [something went wrong on our side|the system does not let me do this]. [Please try again later|You may want to call us].",
        "[That did not work|I could not complete this], [sorry|my apologies].",
    ),
    "early": Phrases(
        "[Done|All set|That's taken care of][, your request is registered|, you'll hear from us|].",
        "[I've passed this on|I've noted this], [it will be handled|we'll see to it] [soon|shortly|in the next days].",
        "[We'll take care of it|This will be dealt with] [as soon as possible|shortly].",
    ),
    "wait": Phrases(
        "[I'll|I will] hand you to a colleague; [the wait is about|you'd wait about] {minutes} minutes.",
        "A colleague [should look at this|has to decide this]. [Waiting time|The queue] [just now|at the moment]: {minutes} minutes.",
    ),
}

MORE: Final = Phrases(
    "[Anything else|Is there anything else] [I can do for you|I can help with|you need]?",
    "[Can I help with|Do you need] anything else[ today|]?",
    "[Is there something else|Something else]?",
)
SOFTENER: Final = Phrases(
    "",
    "",
    "",
    "[Thanks for waiting|Thank you for your patience].",
    "[All right|Okay|Thank you].",
    "[I see|I understand|Understood].",
)
