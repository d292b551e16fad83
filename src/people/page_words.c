/* page_words.c - English, German, French, Spanish: whole sentences, none put together from parts. */
#include "people/page_words.h"

static const char *const words[PAGE_WORD_COUNT][PAGE_LANGUAGE_COUNT] = {
    [W_SIGN_IN] = {"Sign in", "Anmelden", "Connexion", "Iniciar sesión"},
    [W_TO_CONTINUE] = {"to continue to {}", "um weiter zu {} zu gelangen", "pour continuer vers {}",
                       "para continuar en {}"},
    [W_USER_LABEL] = {"User name", "Benutzername", "Nom d’utilisateur", "Nombre de usuario"},
    [W_NEXT] = {"Next", "Weiter", "Suivant", "Siguiente"},
    [W_PASSWORD_TITLE] = {"Enter your password", "Kennwort eingeben",
                          "Saisissez votre mot de passe", "Escriba su contraseña"},
    [W_PASSWORD_LABEL] = {"Password", "Kennwort", "Mot de passe", "Contraseña"},
    [W_USE_PASSKEY] = {"Sign in with a passkey", "Mit einem Passkey anmelden",
                       "Se connecter avec une clé d’accès",
                       "Iniciar sesión con una clave de acceso"},
    [W_USE_CODE] = {"Enter a code from your authenticator",
                    "Code aus der Authenticator-App eingeben",
                    "Saisir un code de votre application d’authentification",
                    "Escribir un código de su aplicación de autenticación"},
    [W_USE_RECOVERY] = {"Use a recovery code", "Wiederherstellungscode verwenden",
                        "Utiliser un code de récupération", "Usar un código de recuperación"},
    [W_USE_PASS] = {"Use a temporary access pass", "Befristeten Zugriffspass verwenden",
                    "Utiliser un passe d’accès temporaire", "Usar un pase de acceso temporal"},
    [W_NOT_YOU] = {"Not you?", "Nicht Sie?", "Ce n’est pas vous ?", "¿No es usted?"},
    [W_CODE_TITLE] = {"Enter the code", "Code eingeben", "Saisissez le code", "Escriba el código"},
    [W_CODE_HINT] =
        {"Open your authenticator app and type the six digits that it shows.",
         "Öffnen Sie Ihre Authenticator-App und geben Sie die sechs Ziffern ein, die sie "
         "zeigt.",
         "Ouvrez votre application d’authentification et saisissez les six chiffres "
         "qu’elle affiche.",
         "Abra su aplicación de autenticación y escriba los seis dígitos que muestra."},
    [W_CODE_LABEL] = {"Code", "Code", "Code", "Código"},
    [W_VERIFY] = {"Verify", "Prüfen", "Vérifier", "Comprobar"},
    [W_RECOVERY_TITLE] = {"Enter a recovery code", "Wiederherstellungscode eingeben",
                          "Saisissez un code de récupération", "Escriba un código de recuperación"},
    [W_RECOVERY_HINT] = {"Each code works once. Capital letters and dashes do not matter.",
                         "Jeder Code gilt einmal. Großbuchstaben und Striche spielen keine Rolle.",
                         "Chaque code sert une seule fois. Majuscules et tirets n’ont pas "
                         "d’importance.",
                         "Cada código sirve una vez. Las mayúsculas y los guiones no importan."},
    [W_RECOVERY_LABEL] = {"Recovery code", "Wiederherstellungscode", "Code de récupération",
                          "Código de recuperación"},
    [W_PASSKEY_TITLE] = {"Use your passkey", "Passkey verwenden", "Utilisez votre clé d’accès",
                         "Use su clave de acceso"},
    [W_PASSKEY_HINT] = {"Your browser asks for the passkey. Confirm with fingerprint, face or PIN.",
                        "Ihr Browser fragt nach dem Passkey. Bestätigen Sie mit Fingerabdruck, "
                        "Gesicht oder PIN.",
                        "Votre navigateur demande la clé d’accès. Confirmez avec l’empreinte, le "
                        "visage ou le code PIN.",
                        "Su navegador pide la clave de acceso. Confirme con huella, rostro o PIN."},
    [W_TRY_AGAIN] = {"Try again", "Erneut versuchen", "Réessayer", "Intentar de nuevo"},
    [W_NO_SCRIPT] =
        {"Passkeys need JavaScript, which is off in this browser. Take another way.",
         "Passkeys brauchen JavaScript, das in diesem Browser aus ist. Nehmen Sie einen "
         "anderen Weg.",
         "Les clés d’accès ont besoin de JavaScript, qui est désactivé dans ce "
         "navigateur. Choisissez un autre moyen.",
         "Las claves de acceso necesitan JavaScript, que está desactivado en este "
         "navegador. Elija otro medio."},
    [W_PASS_TITLE] = {"Enter your access pass", "Zugriffspass eingeben",
                      "Saisissez votre passe d’accès", "Escriba su pase de acceso"},
    [W_PASS_HINT] = {"An administrator gave it to you. It works for a limited time.",
                     "Sie haben ihn von der Administration bekommen. Er gilt begrenzte Zeit.",
                     "Un administrateur vous l’a donné. Il est valable pour une durée limitée.",
                     "Se lo dio un administrador. Vale por un tiempo limitado."},
    [W_PASS_LABEL] = {"Temporary access pass", "Befristeter Zugriffspass",
                      "Passe d’accès temporaire", "Pase de acceso temporal"},
    [W_CHANGE_TITLE] = {"Choose a new password", "Neues Kennwort wählen",
                        "Choisissez un nouveau mot de passe", "Elija una contraseña nueva"},
    [W_CHANGE_HINT] =
        {"Take 12 characters or more. Four words that have nothing to do with each "
         "other are good.",
         "Nehmen Sie 12 Zeichen oder mehr. Vier Wörter, die nichts miteinander zu tun "
         "haben, sind gut.",
         "Prenez 12 caractères ou plus. Quatre mots sans rapport entre eux "
         "conviennent bien.",
         "Use 12 caracteres o más. Cuatro palabras sin relación entre sí son buenas."},
    [W_OLD_LABEL] = {"Password until now", "Bisheriges Kennwort", "Mot de passe actuel",
                     "Contraseña actual"},
    [W_NEW_LABEL] = {"New password", "Neues Kennwort", "Nouveau mot de passe", "Contraseña nueva"},
    [W_AGAIN_LABEL] = {"New password again", "Neues Kennwort wiederholen",
                       "Nouveau mot de passe, encore une fois", "Contraseña nueva otra vez"},
    [W_SAVE] = {"Save and go on", "Speichern und weiter", "Enregistrer et continuer",
                "Guardar y continuar"},
    [W_ENROLL_TITLE] = {"Set up an authenticator", "Authenticator einrichten",
                        "Configurez une application d’authentification",
                        "Configure una aplicación de autenticación"},
    [W_ENROLL_HINT] =
        {"Your organisation asks for a second step. Add this account to an "
         "authenticator app, then type the six digits that it shows.",
         "Ihre Organisation verlangt einen zweiten Schritt. Fügen Sie dieses Konto "
         "einer Authenticator-App hinzu und geben Sie dann die sechs Ziffern ein, die "
         "sie zeigt.",
         "Votre organisation demande une deuxième étape. Ajoutez ce compte à une "
         "application d’authentification, puis saisissez les six chiffres affichés.",
         "Su organización pide un segundo paso. Añada esta cuenta a una aplicación de "
         "autenticación y escriba los seis dígitos que muestra."},
    [W_ENROLL_KEY] = {"Key to type in by hand", "Schlüssel zum Eintippen", "Clé à saisir à la main",
                      "Clave para escribir a mano"},
    [W_ENROLL_LINK] = {"Open in an app on this device", "In einer App auf diesem Gerät öffnen",
                       "Ouvrir dans une application de cet appareil",
                       "Abrir en una aplicación de este dispositivo"},
    [W_ENROLL_PASSKEY_TITLE] = {"Set up a passkey", "Passkey einrichten",
                                "Configurez une clé d’accès", "Configure una clave de acceso"},
    [W_ENROLL_PASSKEY_HINT] = {"Your browser makes a passkey for this account.",
                               "Ihr Browser legt einen Passkey für dieses Konto an.",
                               "Votre navigateur crée une clé d’accès pour ce compte.",
                               "Su navegador crea una clave de acceso para esta cuenta."},
    [W_ENROLL_OFFER] =
        {"A second step keeps others out when they learn your password. Add this account to an "
         "authenticator app, then type the six digits that it shows.",
         "Ein zweiter Schritt hält andere fern, die Ihr Kennwort erfahren. Fügen Sie dieses Konto "
         "einer Authenticator-App hinzu und geben Sie dann die sechs Ziffern ein, die sie zeigt.",
         "Une deuxième étape arrête qui apprendrait votre mot de passe. Ajoutez ce compte à une "
         "application d’authentification, puis saisissez les six chiffres affichés.",
         "Un segundo paso detiene a quien averigüe su contraseña. Añada esta cuenta a una "
         "aplicación de autenticación y escriba los seis dígitos que muestra."},
    [W_ENROLL_PASSKEY_OFFER] =
        {"A passkey stands in place of password and code, and nobody can lure it out of you. Your "
         "browser makes one for this account.",
         "Ein Passkey ersetzt Kennwort und Code, und niemand kann ihn Ihnen entlocken. Ihr Browser "
         "legt einen für dieses Konto an.",
         "Une clé d’accès remplace mot de passe et code, et personne ne peut vous la soutirer. "
         "Votre navigateur en crée une pour ce compte.",
         "Una clave de acceso sustituye contraseña y código, y nadie puede sonsacársela. Su "
         "navegador crea una para esta cuenta."},
    [W_LATER] = {"Later", "Später", "Plus tard", "Más tarde"},
    [W_FIRST_TITLE] = {"Set up your administrator account", "Administratorkonto einrichten",
                       "Créez votre compte d’administration", "Cree su cuenta de administración"},
    [W_FIRST_HINT] =
        {"This link works once. The account may do everything on this server, so take a password "
         "that you use nowhere else: 12 characters or more.",
         "Dieser Link gilt einmal. Das Konto darf auf diesem Server alles; nehmen Sie darum ein "
         "Kennwort, das Sie sonst nirgends verwenden: 12 Zeichen oder mehr.",
         "Ce lien sert une seule fois. Le compte a tous les droits sur ce serveur : prenez un mot "
         "de passe que vous n’utilisez nulle part ailleurs, de 12 caractères ou plus.",
         "Este enlace sirve una vez. La cuenta puede hacer todo en este servidor: use una "
         "contraseña que no emplee en ningún otro sitio, de 12 caracteres o más."},
    [W_FIRST_RENEWS] =
        {"This link works once. It gives the account a new password. Its authenticators, passkeys "
         "and codes are removed, and it is signed out everywhere.",
         "Dieser Link gilt einmal. Er gibt dem Konto ein neues Kennwort. Seine Authenticatoren, "
         "Passkeys und Codes werden entfernt, und es wird überall abgemeldet.",
         "Ce lien sert une seule fois. Il donne au compte un nouveau mot de passe. Ses "
         "applications d’authentification, clés d’accès et codes sont retirés, et il est "
         "déconnecté partout.",
         "Este enlace sirve una vez. Da a la cuenta una contraseña nueva. Se quitan sus "
         "aplicaciones de autenticación, claves de acceso y códigos, y se cierra su sesión en "
         "todas partes."},
    [W_FIRST_NAME_LABEL] = {"Your name", "Ihr Name", "Votre nom", "Su nombre"},
    [W_FIRST_OVER_TITLE] = {"This link is over", "Dieser Link gilt nicht mehr",
                            "Ce lien n’est plus valable", "Este enlace ya no sirve"},
    [W_FIRST_OVER_HINT] =
        {"It was used, is older than 24 hours, or a newer one was made. If it was used and not by "
         "you, somebody else is an administrator now: tell whoever runs this server.",
         "Er wurde benutzt, ist älter als 24 Stunden, oder es gibt einen neueren. Wurde er benutzt "
         "und nicht von Ihnen, hat jetzt jemand anders die Administration: Sagen Sie es denen, die "
         "diesen Server betreiben.",
         "Il a servi, date de plus de 24 heures, ou un plus récent existe. S’il a servi et pas à "
         "vous, quelqu’un d’autre administre maintenant : prévenez qui exploite ce serveur.",
         "Se usó, tiene más de 24 horas o hay uno más reciente. Si se usó y no fue usted, ahora "
         "administra otra persona: avise a quien opera este servidor."},
    [W_FIRST_OVER_HOW] = {"A new link is made on the server’s machine with:",
                          "Einen neuen Link macht man auf der Maschine des Servers mit:",
                          "On crée un nouveau lien sur la machine du serveur avec :",
                          "Un enlace nuevo se crea en la máquina del servidor con:"},
    [W_CODES_TITLE] = {"Keep these recovery codes", "Bewahren Sie diese Codes auf",
                       "Conservez ces codes de récupération",
                       "Guarde estos códigos de recuperación"},
    [W_CODES_HINT] =
        {"They are shown this once. Each lets you in once when your other factors are "
         "lost.",
         "Sie werden nur dieses eine Mal gezeigt. Jeder lässt Sie einmal ein, wenn Ihre "
         "anderen Faktoren verloren sind.",
         "Ils ne sont affichés que cette fois. Chacun vous laisse entrer une fois si vos "
         "autres facteurs sont perdus.",
         "Se muestran solo esta vez. Cada uno le permite entrar una vez si pierde sus "
         "otros factores."},
    [W_CODES_KEPT] = {"I have kept them", "Ich habe sie aufbewahrt", "Je les ai conservés",
                      "Los he guardado"},
    [W_KEEP_TITLE] = {"Stay signed in?", "Angemeldet bleiben?", "Rester connecté ?",
                      "¿Mantener la sesión iniciada?"},
    [W_KEEP_HINT] =
        {"Then you are asked less often on this device. Say no on a device that others "
         "use.",
         "Dann werden Sie auf diesem Gerät seltener gefragt. Wählen Sie Nein auf einem "
         "Gerät, das andere benutzen.",
         "Vous serez alors interrogé moins souvent sur cet appareil. Répondez non sur un "
         "appareil partagé.",
         "Así se le preguntará menos en este dispositivo. Diga que no en un dispositivo "
         "compartido."},
    [W_YES] = {"Yes", "Ja", "Oui", "Sí"},
    [W_NO] = {"No", "Nein", "Non", "No"},
    [W_CONSENT_TITLE] = {"{} asks for your consent", "{} bittet um Ihre Zustimmung",
                         "{} demande votre accord", "{} pide su consentimiento"},
    [W_CONSENT_HINT] =
        {"If you accept, this application may:", "Wenn Sie zustimmen, darf diese Anwendung:",
         "Si vous acceptez, cette application pourra :", "Si acepta, esta aplicación podrá:"},
    [W_ACCEPT] = {"Accept", "Zustimmen", "Accepter", "Aceptar"},
    [W_DENY] = {"Cancel", "Abbrechen", "Annuler", "Cancelar"},
    [W_SCOPE_OPENID] = {"know who you are", "wissen, wer Sie sind", "savoir qui vous êtes",
                        "saber quién es usted"},
    [W_SCOPE_PROFILE] = {"read your name", "Ihren Namen lesen", "lire votre nom", "leer su nombre"},
    [W_SCOPE_EMAIL] = {"read your mail address", "Ihre Mailadresse lesen",
                       "lire votre adresse électronique", "leer su dirección de correo"},
    [W_SCOPE_OFFLINE] = {"act for you while you are away", "für Sie handeln, während Sie weg sind",
                         "agir pour vous en votre absence", "actuar por usted en su ausencia"},
    [W_SCOPE_RIGHTS] = {"do what you have the right to do", "tun, wozu Sie berechtigt sind",
                        "faire ce que vos droits permettent", "hacer lo que sus derechos permiten"},
    [W_ACCOUNT_TITLE] = {"Pick an account", "Konto wählen", "Choisissez un compte",
                         "Elija una cuenta"},
    [W_OTHER_ACCOUNT] = {"Use another account", "Anderes Konto verwenden",
                         "Utiliser un autre compte", "Usar otra cuenta"},
    [W_DEVICE_TITLE] = {"Sign in a device", "Gerät anmelden", "Connecter un appareil",
                        "Iniciar sesión en un dispositivo"},
    [W_DEVICE_HINT] = {"Type the code that the device or program shows.",
                       "Geben Sie den Code ein, den das Gerät oder Programm zeigt.",
                       "Saisissez le code affiché par l’appareil ou le programme.",
                       "Escriba el código que muestra el dispositivo o programa."},
    [W_DEVICE_LABEL] = {"Code of the device", "Code des Geräts", "Code de l’appareil",
                        "Código del dispositivo"},
    [W_CONFIRM_TITLE] = {"Are you signing in to {}?", "Melden Sie sich gerade bei {} an?",
                         "Vous connectez-vous à {} ?", "¿Está iniciando sesión en {}?"},
    [W_CONFIRM_HINT] = {"Go on only if you started this yourself, and the code came from your own "
                        "device.",
                        "Fahren Sie nur fort, wenn Sie das selbst begonnen haben und der Code von "
                        "Ihrem eigenen Gerät kam.",
                        "Continuez seulement si vous l’avez demandé vous-même et que le code vient "
                        "de votre appareil.",
                        "Continúe solo si usted mismo lo inició y el código vino de su propio "
                        "dispositivo."},
    [W_CONFIRM_FROM] = {"The request came from {}.", "Die Anfrage kam von {}.",
                        "La demande est venue de {}.", "La solicitud vino de {}."},
    [W_DONE_TITLE] = {"You are signed in", "Sie sind angemeldet", "Vous êtes connecté",
                      "Ha iniciado sesión"},
    [W_DONE_HINT] = {"You may close this page and go back to your device.",
                     "Sie können diese Seite schließen und zu Ihrem Gerät zurückkehren.",
                     "Vous pouvez fermer cette page et revenir à votre appareil.",
                     "Puede cerrar esta página y volver a su dispositivo."},
    [W_DECLINED_TITLE] = {"The device was not signed in", "Das Gerät wurde nicht angemeldet",
                          "L’appareil n’a pas été connecté",
                          "No se inició sesión en el dispositivo"},
    [W_DECLINED_HINT] = {"Nothing was granted. You may close this page.",
                         "Nichts wurde erlaubt. Sie können diese Seite schließen.",
                         "Rien n’a été accordé. Vous pouvez fermer cette page.",
                         "No se concedió nada. Puede cerrar esta página."},
    [W_OUT_TITLE] = {"You are signed out", "Sie sind abgemeldet", "Vous êtes déconnecté",
                     "Ha cerrado la sesión"},
    [W_OUT_HINT] = {"Close all windows of this browser if others use it too.",
                    "Schließen Sie alle Fenster dieses Browsers, wenn auch andere ihn benutzen.",
                    "Fermez toutes les fenêtres de ce navigateur si d’autres l’utilisent aussi.",
                    "Cierre todas las ventanas de este navegador si otros también lo usan."},
    [W_BACK] = {"Back to the application", "Zurück zur Anwendung", "Retour à l’application",
                "Volver a la aplicación"},
    [W_ERROR_TITLE] = {"You cannot sign in here", "Sie können sich hier nicht anmelden",
                       "Connexion impossible ici", "No puede iniciar sesión aquí"},
    [W_ERROR_NEXT] = {"Go back to the application and begin anew. If it happens again, give the "
                      "request id to your administrator.",
                      "Gehen Sie zurück zur Anwendung und beginnen Sie neu. Wenn es wieder "
                      "geschieht, nennen Sie der Administration die Anfragenummer.",
                      "Revenez à l’application et recommencez. Si cela se reproduit, donnez "
                      "l’identifiant de la demande à votre administrateur.",
                      "Vuelva a la aplicación y empiece de nuevo. Si ocurre otra vez, dé el "
                      "identificador de la solicitud a su administrador."},
    [W_REQUEST_ID] = {"Request id", "Anfragenummer", "Identifiant de la demande",
                      "Identificador de la solicitud"},
    [W_POST_TITLE] = {"Going on to {}", "Weiter zu {}", "Vers {}", "Continuando a {}"},
    [W_POST_HINT] = {"If nothing happens, use the button.",
                     "Wenn nichts geschieht, nehmen Sie die Schaltfläche.",
                     "Si rien ne se passe, utilisez le bouton.", "Si no pasa nada, use el botón."},
    [W_CONTINUE] = {"Continue", "Weiter", "Continuer", "Continuar"},
    [W_WHY_TITLE] = {"Why a second step?", "Warum ein zweiter Schritt?",
                     "Pourquoi une deuxième étape ?", "¿Por qué un segundo paso?"},
    [W_WHY] = {"The policy “{}” asks for it.", "Die Richtlinie „{}“ verlangt ihn.",
               "La stratégie « {} » la demande.", "La directiva «{}» lo pide."},
    [W_E_USER_EMPTY] = {"Enter your user name.", "Geben Sie Ihren Benutzernamen ein.",
                        "Saisissez votre nom d’utilisateur.", "Escriba su nombre de usuario."},
    [W_E_PASSWORD] = {"The user name or the password is not right. After several wrong tries you "
                      "have to wait for a while.",
                      "Der Benutzername oder das Kennwort stimmt nicht. Nach mehreren falschen "
                      "Versuchen müssen Sie eine Weile warten.",
                      "Le nom d’utilisateur ou le mot de passe n’est pas correct. Après plusieurs "
                      "essais, il faut attendre un moment.",
                      "El nombre de usuario o la contraseña no son correctos. Tras varios intentos "
                      "hay que esperar un rato."},
    [W_E_CODE] = {"That code is not right, or was used before. Wait for the next one.",
                  "Dieser Code stimmt nicht oder wurde schon benutzt. Warten Sie auf den nächsten.",
                  "Ce code n’est pas correct ou a déjà servi. Attendez le suivant.",
                  "Ese código no es correcto o ya se usó. Espere al siguiente."},
    [W_E_RECOVERY] = {"That recovery code is not right, or was used before.",
                      "Dieser Wiederherstellungscode stimmt nicht oder wurde schon benutzt.",
                      "Ce code de récupération n’est pas correct ou a déjà servi.",
                      "Ese código de recuperación no es correcto o ya se usó."},
    [W_E_PASS] = {"That access pass is not right, or its time is over.",
                  "Dieser Zugriffspass stimmt nicht oder ist abgelaufen.",
                  "Ce passe d’accès n’est pas correct ou n’est plus valable.",
                  "Ese pase de acceso no es correcto o ya no vale."},
    [W_E_PASSKEY] = {"The passkey could not be checked. Try again, or take another way.",
                     "Der Passkey konnte nicht geprüft werden. Versuchen Sie es erneut oder nehmen "
                     "Sie einen anderen Weg.",
                     "La clé d’accès n’a pas pu être vérifiée. Réessayez ou choisissez un autre "
                     "moyen.",
                     "No se pudo comprobar la clave de acceso. Inténtelo de nuevo o elija otro "
                     "medio."},
    [W_E_NEW_PASSWORD] = {"Choose another password.", "Wählen Sie ein anderes Kennwort.",
                          "Choisissez un autre mot de passe.", "Elija otra contraseña."},
    [W_E_NOT_SAME] = {"The two new passwords are not the same.",
                      "Die beiden neuen Kennwörter sind nicht gleich.",
                      "Les deux nouveaux mots de passe ne sont pas identiques.",
                      "Las dos contraseñas nuevas no son iguales."},
    [W_E_DEVICE_CODE] =
        {"That code is not valid: it is mistyped, too old, or was used.",
         "Dieser Code gilt nicht: er ist vertippt, zu alt oder wurde schon benutzt.",
         "Ce code n’est pas valable : il est mal saisi, trop ancien ou déjà utilisé.",
         "Ese código no vale: está mal escrito, es demasiado antiguo o ya se usó."},
    [W_E_NAME] =
        {"Take another user name: letters, digits, dots and dashes before the @, this server’s "
         "domain behind it, and one that nobody has.",
         "Nehmen Sie einen anderen Benutzernamen: Buchstaben, Ziffern, Punkte und Striche vor dem "
         "@, dahinter die Domäne dieses Servers, und einen, den niemand hat.",
         "Prenez un autre nom d’utilisateur : lettres, chiffres, points et tirets avant le @, le "
         "domaine de ce serveur après, et que personne n’ait déjà.",
         "Elija otro nombre de usuario: letras, dígitos, puntos y guiones antes de la @, el "
         "dominio de este servidor detrás, y que nadie tenga."},
    [W_E_BUSY] = {"Too many people sign in at this moment. Try again in a few seconds.",
                  "Im Augenblick melden sich zu viele an. Versuchen Sie es in einigen Sekunden "
                  "wieder.",
                  "Trop de personnes se connectent en ce moment. Réessayez dans quelques secondes.",
                  "Demasiadas personas inician sesión ahora. Inténtelo en unos segundos."},
    [W_E_EXPIRED] = {"This page was open for too long. Begin anew.",
                     "Diese Seite war zu lange offen. Beginnen Sie neu.",
                     "Cette page est restée ouverte trop longtemps. Recommencez.",
                     "Esta página estuvo abierta demasiado tiempo. Empiece de nuevo."},
    [W_E_ERROR] = {"The request cannot be answered.", "Die Anfrage kann nicht beantwortet werden.",
                   "La demande ne peut pas être traitée.", "La solicitud no se puede atender."},
    [W_ABOUT_SERVER] = {"About this server", "Über diesen Server", "À propos de ce serveur",
                        "Acerca de este servidor"},
};

const char *page_word(enum page_language language, enum page_word word)
{
    const char *text = words[word][language];
    return text != NULL ? text : words[word][PAGE_EN];
}

const char *page_language_tag(enum page_language language)
{
    static const char *const tags[PAGE_LANGUAGE_COUNT] = {"en", "de", "fr", "es"};
    return tags[language];
}

/* ---- which one ----------------------------------------------------------------------------------------------------------- */

static bool language_of(rf_str tag, enum page_language *out)
{
    size_t dash = RF_MIN(rf_str_find(tag, RF_S("-"), 0), tag.len);
    rf_str main = rf_slice(tag, 0, dash);
    for (int i = 0; i < PAGE_LANGUAGE_COUNT; i++) {
        if (!rf_str_eq_nocase(main, rf_str_of(page_language_tag((enum page_language)i)))) continue;
        *out = (enum page_language)i;
        return true;
    }
    return false;
}

/* Thousandths of "en;q=0.8"; 1000 without. */
static uint32_t weight_of(rf_str element)
{
    size_t at = rf_str_find(element, RF_S("q="), 0);
    uint32_t weight = 0, unit = 1000;
    if (at == SIZE_MAX) return 1000;
    for (at += 2; at < element.len && unit > 0; at++) {
        if (element.ptr[at] == '.') continue;
        if (!rf_is_digit(element.ptr[at])) break;
        weight += (uint32_t)(element.ptr[at] - '0') * unit;
        unit /= 10;
    }
    return RF_MIN(weight, 1000u);
}

enum page_language page_language_of(rf_str ui_locales, rf_str accept)
{
    enum page_language best = PAGE_EN, found;
    uint32_t best_weight = 0;
    for (size_t at = 0; at < ui_locales.len;) {
        size_t end = RF_MIN(rf_str_find(ui_locales, RF_S(" "), at), ui_locales.len);
        if (language_of(rf_slice(ui_locales, at, end), &found)) return found;
        at = end + 1;
    }
    for (size_t at = 0; at < accept.len;) {
        size_t end = RF_MIN(rf_str_find(accept, RF_S(","), at), accept.len);
        rf_str element = rf_str_trim(rf_slice(accept, at, end));
        size_t mark = RF_MIN(rf_str_find(element, RF_S(";"), 0), element.len);
        at = end + 1;
        if (!language_of(rf_str_trim(rf_slice(element, 0, mark)), &found)) continue;
        uint32_t weight = weight_of(rf_slice(element, mark, element.len));
        if (weight <= best_weight) continue;
        best = found;
        best_weight = weight;
    }
    return best;
}
