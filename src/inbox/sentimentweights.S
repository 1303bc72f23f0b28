/*
 * sentimentweights.S
 *		The weights of the sentiment model as they lie in the file beside this one,
 *		made by test/sentiment/train.
 */
	.section .rodata
	.hidden laras_sentiment_weights
	.globl laras_sentiment_weights
	.balign 16
laras_sentiment_weights:
	.incbin "src/inbox/sentiment.weights"

	.section .note.GNU-stack, "", %progbits
