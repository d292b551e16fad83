// Sends the form of a page that only passes an answer on.
document.forms[0]?.submit();
