// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ERC20Capped} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Capped.sol";
import {UniverseERC20} from "../src/UniverseERC20.sol";
import {UniverseTemplate} from "../src/UniverseTemplate.sol";
import {vm} from "./Base.sol";
import {SharedTest} from "./Shared.t.sol";

contract ERC20Test is SharedTest {
    UniverseERC20 private token;

    function setUp() public override {
        super.setUp();
        token = _erc20(1000);
        template = token;
    }

    function _fresh(address admin, address minter) internal override returns (UniverseTemplate) {
        token = UniverseERC20(_create("erc20", abi.encode("Gold", "GLD", uint8(6), uint256(0), admin, minter)));
        return token;
    }

    function _thing(uint256) internal pure override returns (uint256 id, uint256 amount) {
        return (0, 1);
    }

    function _single(bytes32 referenceId, address to, uint256) internal override {
        token.mint(referenceId, to, 1);
    }

    function _move(address from, address to, uint256) internal override {
        vm.prank(from);
        token.transfer(to, 1);
    }

    function _burn(address from, uint256) internal override {
        vm.prank(from);
        token.burn(1);
    }

    function _held(address who, uint256) internal view override returns (uint256) {
        return token.balanceOf(who);
    }

    function test_describes_itself() public {
        vm.assertEq(token.name(), "Gold");
        vm.assertEq(token.symbol(), "GLD");
        vm.assertEq(token.decimals(), 6);
        vm.assertEq(token.cap(), 1000);
        vm.assertEq(_erc20(0).cap(), type(uint256).max);
        vm.assertTrue(token.supportsInterface(0x36372b07));
    }

    function testFuzz_cap(uint256 cap, uint256 amount) public {
        vm.assume(cap > 0 && cap < type(uint256).max);
        token = _erc20(cap);
        vm.prank(MINTER);
        token.mint("r", ALICE, cap);
        amount = amount % (type(uint256).max - cap) + 1;
        vm.prank(MINTER);
        vm.expectRevert(abi.encodeWithSelector(ERC20Capped.ERC20ExceededCap.selector, cap + amount, cap));
        token.mint("s", BOB, amount);
        // It bounds what circulates: burning makes room.
        vm.prank(ALICE);
        token.burn(1);
        vm.prank(MINTER);
        token.mint("s", BOB, 1);
        vm.assertEq(token.totalSupply(), cap);
    }

    function test_ids_are_refused() public {
        vm.prank(MINTER);
        vm.expectRevert(abi.encodeWithSelector(UniverseERC20.InvalidId.selector, 3));
        token.mintBatch(_list(_item("r", ALICE, 3, 1)));
    }

    function testFuzz_permit(uint256 key, uint256 value, bool expired) public {
        key = key % (2 ** 250) + 1;
        address owner = vm.addr(key);
        uint256 deadline = expired ? block.timestamp - 1 : block.timestamp;
        bytes32 kind = keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
        bytes32 content = keccak256(abi.encode(kind, owner, BOB, value, 0, deadline));
        (uint8 v, bytes32 r, bytes32 s) =
            vm.sign(key, keccak256(abi.encodePacked(hex"1901", token.DOMAIN_SEPARATOR(), content)));
        if (expired) vm.expectRevert();
        token.permit(owner, BOB, value, deadline, v, r, s);
        vm.assertEq(token.allowance(owner, BOB), expired ? 0 : value);
        vm.expectRevert();
        token.permit(owner, BOB, value, deadline, v, r, s);
    }
}
