"""What customers of the full desk say, by act and by persona."""

# ruff: noqa: E501 - one wording is one line, however long
from __future__ import annotations

from typing import Final

from curate.sandbox.phrases import Phrases

PERSONAS: Final = ("plain", "terse", "chatty", "formal", "annoyed", "hurried")

OPENERS: Final = {
    "plain": Phrases(
        "[Hi|Hello|Hi there|Good morning|Hey][,|.|!]",
        "[Hello|Hi], [I have a question.|I need some help.|can you help me?]",
    ),
    "terse": Phrases("", "[hi|hello]."),
    "chatty": Phrases(
        "[Hi there|Hello|Hey], [hope you are having a nice day|what a Monday, right|hope it's not too busy over there]!",
        "[Hello|Hi]! [First of all, I love your shop|I've been a customer for years|A friend told me about you].",
        "[Hi|Hey], [it's finally spring, so|I was just packing for a trip and|my weekend plans just changed:] here I am.",
    ),
    "formal": Phrases(
        "[Good morning|Good afternoon|Dear Sir or Madam|To whom it may concern],",
        "[Good day|Good morning]. [I am writing|I am contacting you] about [a matter of mine|my account].",
    ),
    "annoyed": Phrases(
        "[Honestly,|Look,|Right,] [I've been waiting on this for days|this is the second time I write|your website is useless].",
        "[I'm not happy|This is getting tiresome|I'm a bit fed up], [to be honest|frankly].",
    ),
    "hurried": Phrases(
        "[Quick one|Short question|In a hurry here|Only got two minutes]:",
        "[On my lunch break|About to board a train|Between two meetings], so [quickly|briefly]:",
    ),
}

ASIDES: Final = {
    "plain": Phrases("", "", "", "[Thanks|Thank you]."),
    "terse": Phrases(""),
    "chatty": Phrases(
        "",
        "[My kids keep asking about it|My dog has opinions about this too].",
        "It was meant for a trip to [Norway|Corsica|the Vosges].",
        "[We leave for the mountains|My sister visits|The season starts] [next week|in two weeks|soon], you see.",
        "[Sorry for the long message|Sorry, I tend to ramble|Anyway], that's [the story|it|about it].",
    ),
    "formal": Phrases(
        "",
        "[I would be grateful for a prompt answer|I appreciate your assistance|Thank you in advance].",
        "[Kindly|Please] [advise|let me have your answer].",
    ),
    "annoyed": Phrases(
        "",
        "[And please|Please] [no canned answers|don't send me in circles].",
        "[I expect|I'd expect] [better|more] from you[, really|].",
    ),
    "hurried": Phrases("", "", "[Quickly please|As fast as you can|asap]."),
}

ORDER_NUMBER: Final = Phrases(
    "[order|my order|order number] {order_id}",
    "the order {order_id}",
    "{order_id}[ (the {product})|]",
)
ORDER_NUMBER_ONLY: Final = Phrases(
    "[order|my order|order number|order no.] {order_id}", "the order {order_id}", "{order_id}"
)
ORDER_VAGUE: Final = Phrases(
    "my [last|latest|recent|] order", "[one of my orders|an order of mine|a recent order of mine]"
)
ORDER_PRODUCT: Final = Phrases(
    "[my|the] {product} order",
    "the order with the {product}",
    "my order [that has|containing|for] the {product}",
    "the {product} [I ordered|I bought from you]",
)

REQUESTS: Final = {
    "status": Phrases(
        "[Where is|Where's|What's happening with] {the_order}? [When will it get here?|When does it arrive?|I'd like to know the arrival date.]",
        "[Can you|Could you] [tell me|check|find out] when {the_order} [will arrive|is going to be delivered|gets here]?",
        "I'm [still waiting|waiting] for {the_order}, [which day should I expect it|when is it due]?",
        "[I need|I'd like] a delivery date for {the_order}.",
    ),
    "cancel": Phrases(
        "[I want to|I'd like to|I need to|Can I] cancel {the_order}[ please|]. [And what is the refund code?|I also need the refund code.|What would the refund code be?]",
        "[Please cancel|Cancel|Could you please cancel] {the_order}[ for me|], and [give me|send me|tell me] the refund code.",
        "{the_order} [has to go|should be cancelled|is not needed after all]. [I'd want my money back|Please refund me] and [the code for the refund|a refund code].",
        "[Is it still possible|Is there still time] to cancel {the_order}? [I'd need the refund code then.|If so, what's the refund code?]",
    ),
    "change": Phrases(
        "[The {product}|I see now that the {product}] in {the_order} [is the wrong one|is not the variant I wanted]. [Can you change it?|Could it still be swapped?]",
        "[I picked the wrong one|I chose the wrong variant]: in {the_order} [I want|I'd like|I'd rather have] the {product} in {colour}, size {size}.",
        "[Can you|Could you] [swap|exchange|change] the {product} in {the_order} [to|for] {colour}, {size}? [What's the total then?|And what will I pay in total?|I'd like to know the new total.]",
        "[About|Regarding] {the_order}: [I changed my mind and want|please make it|it should be] {colour} in {size} for the {product}.",
        "[I need|I'd prefer] the {product} from {the_order} in [the|] {colour} [{size}|version, size {size}][, is that possible?|.]",
    ),
    "address": Phrases(
        "[I've moved|I moved house|I'm going to be away|I will be staying elsewhere], [so please send|so could I have] {the_order} [sent to|go to|delivered to] [another address|a new address].",
        "[Can|Could] {the_order} [go|be delivered|be sent] to {street}, {postcode} {city}[ instead|]? [When would it come?|And which delivery date would that be?]",
        "[Please change|Change|I need to change] the delivery address of {the_order} to {street} in {city}, {postcode}. [And when does it arrive then?|What's the new date?]",
        "[The address on|The delivery address of] {the_order} is [wrong|out of date|my old one].",
    ),
    "return": Phrases(
        "[I'd like to|I want to|I need to] [return|send back] the {product} [from|of] {the_order}. [What do I get back|How much is the refund] and [what's the return code|which code goes on the parcel]?",
        "The {product} in {the_order} [does not fit|isn't what I expected|is not for me], [so I'd like to send it back|so I want to return it]. I need [the return code and the refund amount|a return code and the amount I get back].",
        "[Please start|Start|Could you set up] a return for the {product}, {the_order}; [tell me|I need] the return code and the refund.",
    ),
    "search": Phrases(
        "[Do you have|Have you got|Do you sell] {article} {query} in {colour}, size {size}? [What does it cost?|How much is it?]",
        "[I'm looking for|I'm after|I need] {article} {query}, {colour}[, preferably|,] [size|in size] {size}. [What would that cost?|What's the price?|Price and name please.]",
        "[How much is|What do you charge for|What's the price of] {article} {query} in {colour} ({size})? [And is it available?|Is it in stock?]",
    ),
    "spend": Phrases(
        "[How much|What] have I spent [with you|at your shop] [in all|in total|altogether], [not counting|leaving out|without] cancelled orders?",
        "[Can you|Could you] add up [all my orders|everything I ordered] [except|but not] the cancelled ones?",
        "I'm doing my [accounts|budget|taxes]: [what do|how much do] all my orders [come to|cost together], cancelled ones [excluded|aside]?",
    ),
    "book": Phrases(
        "[I'd like|I want|I need] [a workshop appointment|a slot in the workshop|to come by the workshop] for {service} on {day}, [as early as possible|the earliest you have|first thing free]. [What's the drop-off code?|I need the drop-off code too.]",
        "[Can you|Could you] book [me|] the [earliest|first free] {service} slot [on|this] {day}? [And the drop-off code please.|And tell me the drop-off code.]",
        "[Is the workshop free|Any room in the workshop] for {service} on {day}? [Take the earliest|Book the earliest one], [and give me the drop-off code|I want the drop-off code].",
        "[I need|I'd like] {service} [at the workshop|from your workshop] [some time this week|this week].",
    ),
    "other_order": Phrases(
        "[Please cancel|Can you cancel|I need to cancel] {relation}'s order {order_id}, [they asked me to|they have no time|they are travelling].",
        "It's about {order_id}, {relation}'s order [with|for] the {product}. [It has to be cancelled.|Cancel it please.|Can you stop it?]",
        "{relation} ordered the {product} ({order_id}) and [wants to|would like to] [cancel it|call it off]. [I do this for them|I'm handling it].",
    ),
    "complaint": Phrases(
        "The {product} from {the_order} [arrived with|came with|has] {damage}. [I want compensation.|What will you do about it?|I want something for the trouble.]",
        "[I just unpacked|I opened] {the_order} and [there's|I found] {damage} on the {product}. [Who pays for this?|I expect compensation.|This is not acceptable.]",
    ),
}
REQUESTS["cancel_refused"] = REQUESTS["cancel"]
REQUESTS["change_refused"] = REQUESTS["change"]
REQUESTS["return_refused"] = REQUESTS["return"]

BY_EMAIL: Final = Phrases(
    "[My email is|It's|The email is|My account is under|You'll find me under] {email}.",
    "{email}[, that's the email|].",
    "{first_name} {last_name}, {email}.",
)
WILLING: Final = Phrases("[Sure|Of course|Certainly|No problem]:", "[Sure|Of course].")
BY_NAME: Final = Phrases(
    "[I'm|My name is|It's|This is] {first_name} {last_name}, postcode {postcode}.",
    "{first_name} {last_name}, {postcode}.",
    "[Name|The name is] {first_name} {last_name}, [I live in|postcode|the postcode is] {postcode}.",
    "[I don't remember which email I used|Not sure about the email], but [I'm|it's] {first_name} {last_name}, {postcode}.",
)
ORDER_ANSWER: Final = Phrases(
    "[It's|The number is|That's|Order] {order_id}.",
    "[One moment... |Let me look... |]{order_id}[, I think|, yes|].",
    "[The mail says|It says here|My confirmation says] {order_id}.",
)
REASON_ANSWER: Final = {
    "no longer needed": Phrases(
        "[I no longer need it|I just don't need it any more|No longer needed|My plans changed, I don't need it].",
        "[Because|] I [simply|] don't need it [any more|now].",
    ),
    "ordered by mistake": Phrases(
        "[I ordered it by mistake|It was a mistake|Ordered by mistake|I clicked the wrong thing].",
        "[It was|That was] [a slip|an accident|an error] [on my side|of mine].",
    ),
    "found it cheaper": Phrases(
        "[I found it cheaper|Another shop has it cheaper|Found it cheaper elsewhere|It's cheaper elsewhere].",
        "[Frankly, the|The] price, I [saw|found] it for less.",
    ),
    "delivery too slow": Phrases(
        "[Delivery is too slow|It takes too long|The delivery takes too long|It won't come in time].",
        "[I can't wait that long|It's too slow for me|I need it sooner].",
    ),
}
ADDRESS_ANSWER: Final = Phrases(
    "[It's|To|Please send it to|The new address is] {street}, {postcode} {city}.",
    "{street}, {city}, {postcode}.",
    "[I'm now at|I'll be at] {street} in {city}, {postcode}.",
)
VARIANT_ANSWER: Final = Phrases(
    "{colour}, size {size}[ please|].",
    "[I'd like|I want|Make it|The] {colour}[ one|], {size}.",
    "[In|] {colour}[ please|] and [size|in] {size}.",
)
DAY_ANSWER: Final = Phrases(
    "[On|] {day}, [the earliest you have|as early as possible|first one free].",
    "{day}[ please|], [earliest time|the first slot]. [And I want the drop-off code|I'll need the drop-off code].",
)
ITEM_ANSWER: Final = Phrases("[The|Just the|Only the|It's the] {product}.", "[I mean|I'm talking about] the {product}.")
YES: Final = Phrases(
    "[Yes|Yes please|Yep|Sure|OK|Correct|Absolutely][, go ahead|, do it|, that's right|].",
    "[Go ahead|Do it|Please do|Sounds good|That's right][, thanks|, please|].",
    "[Yes, I confirm|I confirm|Confirmed|That is what I want].",
)
OBJECTION: Final = Phrases(
    "[No|Wait], [I meant|it's about] order {order_id}.",
    "[No, that's the wrong order|Wrong order]: {order_id} [please|is mine].",
)
VARIANT_OBJECTION: Final = Phrases(
    "[No|Not quite|Hold on], [I want|I asked for|it should be] {colour}, {size}.",
    "[That's not the one|Wrong one]: {colour}, size {size}[ please|].",
)
UNSURE: Final = Phrases(
    "[I don't know that|I couldn't say|No idea, sorry].",
    "[Does it matter?|Can't you see that yourself?|That should be in your system.]",
    "[I have nothing to add|That's all I know].",
)
REPEAT: Final = Phrases(
    "[So|And], [what now|can you do it|what about it]?",
    "[Okay|Right|I see], [and|so] [what happens next|is it done|what's the answer]?",
)
NEXT: Final = {
    "plain": Phrases(
        "[Yes|Yes, one more thing|Also|Thanks. Also|Great, next]:",
        "[There's something else|One more thing|Another thing]:",
    ),
    "terse": Phrases("[also|next|and]:", "ok."),
    "chatty": Phrases(
        "[Lovely|Super|Wonderful], [you're a star|that was easy]. [While I have you|Now that we're talking|Since you ask]:",
        "[Oh yes|Ah, right], [before I forget|I nearly forgot]:",
    ),
    "formal": Phrases(
        "[Thank you|I thank you]. [Furthermore|In addition|I have a further request]:",
        "[Indeed|Yes, indeed]. [There is a second matter|Another matter remains]:",
    ),
    "annoyed": Phrases(
        "[Fine|Well|At last]. [And then there's this|Next problem|That's not all]:",
        "[Yes, unfortunately|Of course there is]:",
    ),
    "hurried": Phrases("[Ok, next|Great, and|Perfect, then]:", "[Quickly, one more|One more then]:"),
}
BYE: Final = {
    "plain": Phrases(
        "[Thanks|Thank you|Great, thanks|That's all, thanks][, bye|!|.|, that's everything.]",
        "[No, that's all|Nothing else|That was it]. [Thanks|Thank you]!",
    ),
    "terse": Phrases("[ok|no|fine|done|that's all|thx]."),
    "chatty": Phrases(
        "[Perfect|Wonderful|Brilliant], [thanks so much|you've been a great help|thanks a million]! [Have a lovely day|Enjoy the sun|All the best]!",
        "[No, that's all|That's everything], [you made my day|thanks for your patience]. [Bye|Cheers|Take care]!",
    ),
    "formal": Phrases(
        "[That will be all|There is nothing further]. [Thank you for your assistance|I thank you for your help|Kind regards].",
        "[Thank you|Much obliged]. [Good day|Have a good day|Kind regards].",
    ),
    "annoyed": Phrases(
        "[Fine|Well, finally|All right|If you say so]. [Bye|That's it|Nothing else].",
        "[No|No, nothing]. [That took long enough|I hope that's the end of it|Let's hope it works].",
    ),
    "hurried": Phrases("[Great|Perfect|Super], [gotta go|have to run|must go].", "[That's it|All good], [thanks|bye]!"),
}
TWO_THINGS: Final = Phrases(
    "[I have|I've got] {count} things [to sort out|for you|today].",
    "[There are|It's about] {count} [matters|things]. [First|To begin with]:",
)
