"""What is said and when: words, utterances and the stretches of speech that hold them."""
