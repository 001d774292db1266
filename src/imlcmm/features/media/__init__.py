"""Files of picture and sound, decoded: by seconds from the file's start, in bounded memory."""
