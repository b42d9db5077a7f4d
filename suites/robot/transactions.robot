*** Settings ***
Documentation       More than sales: what a shop does all day, refused and done again, told in a shop's words.
Resource            ../../fixtures/robot/terminal.resource


*** Test Cases ***
A refund is refused while the terminal is forgotten, and paid out afterwards
    [Tags]    MSG-01    MON-01    MON-02
    The shop does a sale of 20.00 yuan by contactless
    It is approved
    The acquirer forgets the terminal
    The shop does a refund of 5.00 yuan by contactless
    It is refused with code 97
    The terminal was registered again and works
    The shop does a refund of 5.00 yuan by contactless
    It is approved

A pre-authorisation outlives 97 and is completed
    [Tags]    MSG-01    MON-02    MON-12
    The shop does a pre authorisation of 100.00 yuan by chip with PIN
    It is approved
    The application is pending
    The shop does a completion of 100.00 yuan by chip with PIN
    It is refused with code 97
    The terminal was registered again and works
    The shop does a completion of 100.00 yuan by chip with PIN
    It is approved
    The shop does a completion void
    It is approved

A customer pays with a telephone
    [Tags]    MSG-01    MON-02
    The acquirer forgets the terminal
    The shop does a sale of 9.70 yuan by wechat
    It is refused with code 97
    The terminal was registered again and works
    The till does a sale of 9.70 yuan by alipay
    It is approved
    The shop does a void
    It is approved

Sold offline, with a tip, while the acquirer knew nothing of the terminal
    [Tags]    MON-04
    The acquirer forgets the terminal
    The shop does an offline sale of 30.00 yuan by magnetic
    It is approved
    The shop adds a tip of 3.00 yuan
    It is approved
    The shop does a sale of 12.00 yuan by chip
    It is refused with code 97
    The terminal was registered again and works

Neither a missing merchant nor a suspended terminal is 97
    [Tags]    MSG-03
    The acquirer removes the merchant
    The shop does a balance
    It is refused with code 03
    The acquirer registers the merchant
    The acquirer suspends the terminal
    The shop does a status upload
    It is refused with code 58
    The acquirer activates the terminal
    The acquirer signs the terminal off
    The shop does a sale of 1.00 yuan by magnetic with PIN
    It is refused with code 77
    The terminal signs in
    It is approved
